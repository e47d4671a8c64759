"""Real Modbus servers of pymodbus for tests: over TCP, and over a serial line made of two pseudo-terminals.

The line has a pump in its middle, which can lose, spoil and delay what a device answers.
"""

import asyncio
import os
import select
import threading
import tty
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusSerialServer, ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from charger.board import ModbusBus
from charger.hardware import modbus

PATIENCE = 10.0
"""s that a test waits for what must come, on a machine however slow."""


class Device:
    """One unit: its registers by address, and what it does instead of answering."""

    def __init__(self, unit: int, holding: Mapping[int, int] = {}, inputs: Mapping[int, int] = {}) -> None:
        self.unit = unit
        self.registers = {3: dict(holding), 4: dict(inputs)}
        self.written: list[tuple[int, int]] = []
        self.asked: list[tuple[int, int, int]] = []
        """(function code, address, count) of every request to read."""
        self.refuses: ExcCodes | None = None
        """What it answers with instead."""
        self.before: Callable[[], None] | None = None
        """Called, on the server's loop, before it answers."""

    async def act(self, function, start, address, count, found, values):
        if self.before:
            self.before()
        if self.refuses is not None:
            return self.refuses
        if function in (6, 16):
            if values is None:
                return None  # reads back what it has written
            self.written.append((address, values[0]))
            self.registers[3][address] = values[0]
            return None
        self.asked.append((function, address, count))
        places = range(address, address + count)
        if any(place not in self.registers[function] for place in places):
            return ExcCodes.ILLEGAL_ADDRESS
        found[address - start : address - start + count] = [self.registers[function][at] for at in places]
        return None

    def simulated(self) -> SimDevice:
        bits = [SimData(0, count=1, values=False, datatype=DataType.BITS)]
        return SimDevice(self.unit, (bits, list(bits), self._block(3), self._block(4)), action=self.act)

    def _block(self, function: int) -> list[SimData]:
        low, high = min(self.registers[function], default=0), max(self.registers[function], default=0)
        return [SimData(low, count=high - low + 1, values=0, datatype=DataType.REGISTERS)]


class _Server:
    """A server of pymodbus on an event loop with a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self.start()

    def make(self) -> ModbusTcpServer | ModbusSerialServer:
        raise NotImplementedError

    def start(self) -> None:
        async def start() -> None:
            self._server = self.make()
            await self._server.serve_forever(background=True)

        self._run(start())

    def stop(self) -> None:
        async def stop() -> None:
            await self._server.shutdown()
            await asyncio.sleep(0)  # transports close when the loop comes round

        self._run(stop())

    def close(self) -> None:
        self.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)
        self._loop.close()

    def _run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(PATIENCE)


class Gateway(_Server):
    """Modbus TCP at loopback; started again it has the same port."""

    def __init__(self, *devices: Device) -> None:
        self._devices = [device.simulated() for device in devices]
        self._port = 0
        super().__init__()

    @property
    def plan(self) -> ModbusBus:
        return ModbusBus(host="127.0.0.1", tcp_port=self._port)

    def make(self) -> ModbusTcpServer:
        return ModbusTcpServer(self._devices, address=("127.0.0.1", self._port))

    def start(self) -> None:
        super().start()
        self._port = self._server.transport.sockets[0].getsockname()[1]


class Wire(_Server):
    """Modbus RTU over two pseudo-terminals back to back."""

    def __init__(self, *devices: Device) -> None:
        self._devices = [device.simulated() for device in devices]
        self._units = {device.unit for device in devices}
        self.answers: Callable[[bytes], bytes] = bytes
        """What becomes of the bytes that the devices send."""
        self._ours, self._our_end = os.openpty()
        self._theirs, self._their_end = os.openpty()
        self._stopped, self._stop = os.pipe()
        for file in (self._our_end, self._their_end):
            tty.setraw(file)
        self.plan = ModbusBus(port=os.ttyname(self._our_end), baud=115200)
        self._pump_thread = threading.Thread(target=self._pump)
        self._pump_thread.start()
        super().__init__()

    def make(self) -> ModbusSerialServer:
        port = os.ttyname(self._their_end)
        return ModbusSerialServer(self._devices, port=port, baudrate=115200)

    def _pump(self) -> None:
        while True:
            ready, _, _ = select.select([self._ours, self._theirs, self._stopped], [], [])
            if self._stopped in ready:
                return
            if self._ours in ready:
                request = os.read(self._ours, 4096)
                if request[0] in self._units:  # the server would answer for units that are not there
                    os.write(self._theirs, request)
            if self._theirs in ready:
                os.write(self._ours, self.answers(os.read(self._theirs, 4096)))

    def close(self) -> None:
        super().close()
        os.close(self._stop)
        self._pump_thread.join(PATIENCE)
        for file in (self._ours, self._our_end, self._theirs, self._their_end, self._stopped):
            os.close(file)


@contextmanager
def served(kind: str, *devices: Device) -> Iterator[Gateway | Wire]:
    """A server, which a bus waits for as long as a busy machine takes; `hurry` is for those that are silent."""
    as_shipped = modbus.TURNAROUND, modbus.NETWORK
    server = {"tcp": Gateway, "rtu": Wire}[kind](*devices)
    hurry(PATIENCE)
    try:
        yield server
    finally:
        modbus.TURNAROUND, modbus.NETWORK = as_shipped
        server.close()


def hurry(seconds: float = 0.02) -> None:
    """How long a bus waits for an answer from now on."""
    modbus.TURNAROUND = modbus.NETWORK = seconds
