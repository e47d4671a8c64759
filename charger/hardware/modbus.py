"""Modbus: one thread for each bus, on which everything that is said there is said in turn.

Devices of one serial line share it, so what they ask are jobs that get the line one after the other: periodic
ones, and urgent ones, which go first. Between two requests of a job everything urgent and everything that
comes round more often is let in, so that a slow meter does not hold up a control pilot.

Knows no meter and no pilot. The only importer of pymodbus, whose interface changes in its minor releases.
"""

from __future__ import annotations

import errno
import logging
import os
import socket
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from threading import Condition, Thread
from typing import Final

import serial
from pymodbus.client import ModbusSerialClient, ModbusTcpClient
from pymodbus.client.base import ModbusBaseSyncClient
from pymodbus.exceptions import ConnectionException, ModbusIOException
from pymodbus.pdu import ModbusPDU
from pymodbus.pdu.register_message import (
    ReadHoldingRegistersRequest,
    ReadInputRegistersRequest,
    WriteMultipleRegistersRequest,
)

from charger.board import ModbusBus
from charger.hardware.parts import Registers

Job = Callable[[Registers], None]
Failed = Callable[[Exception], None]

TURNAROUND: Final = 0.2
"""s that a device on a serial line may think; the time of the characters comes on top."""
LATE: Final = 1.0
"""s after a request in which its answer may still come on a serial line, where another might take it."""
NETWORK: Final = 1.0
"""s for a connection, and for an answer through a gateway."""
BACK_OFF: Final = (0.1, 5.0)
"""s after which a bus that cannot be opened is tried again: at first, and at most."""
PATIENCE: Final = 3
"""Requests without an answer after which a connection over the network is made anew."""
EXCEPTIONS: Final = {
    1: "does not know this function",
    2: "has no such register",
    3: "does not take this value",
    4: "says that it is broken",
    5: "wants more time",
    6: "is busy",
    10: "cannot be reached: the gateway has no way",
    11: "does not answer the gateway",
}
"""Exception code → what the device says of itself (Modbus Application Protocol 1.1b3 §7)."""

REASONS: Final = {
    errno.EACCES: "permission denied: its user must be in the group that owns it (dialout)",
    errno.EAGAIN: "another program uses it",
}

_log = logging.getLogger(__name__)
# All that it has to say comes as an exception as well; it writes 20 frames for every missing answer.
logging.getLogger("pymodbus.logging").setLevel(logging.CRITICAL)


@dataclass(slots=True, eq=False)
class _Task:
    period: float
    """s; 0: once, urgently."""
    due: float
    job: Job
    failed: Failed


class Bus:
    """One bus. Jobs run on its thread, and so do their callbacks; all methods may be called on any thread."""

    def __init__(self, plan: ModbusBus) -> None:
        """Start the thread; the bus is opened when there is something to say."""
        self._line = _Line(plan)
        self._changed = Condition()
        self._urgent: deque[_Task] = deque()
        self._periodic: list[_Task] = []
        self._closing = False
        self._thread = Thread(target=self._run, name=f"modbus {self._line.place}", daemon=True)
        self._thread.start()

    def every(self, period: float, job: Job, failed: Failed) -> Callable[[], None]:
        """Run a job now, and again every `period` s; later when the bus is busy, never twice in a row for it.

        Args:
            period: s, more than 0.
            job: what is to be said.
            failed: told of what `job` raises: OSError when the device or the bus fails.

        Returns:
            a function that ends it; a job that runs at that moment runs to its end.
        """
        task = _Task(period, time.monotonic(), job, failed)
        with self._changed:
            self._periodic.append(task)
            self._changed.notify()
        return lambda: self._forget(task)

    def soon(self, job: Job, failed: Failed) -> None:
        """Run a job once, before all periodic ones; those of one caller in their order."""
        with self._changed:
            if self._closing:
                return
            self._urgent.append(_Task(0.0, 0.0, job, failed))
            self._changed.notify()

    def close(self) -> None:
        """Run what is urgent still, end the thread, and let go of the line. Not from a job."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join()

    def _forget(self, task: _Task) -> None:
        with self._changed:
            if task in self._periodic:
                self._periodic.remove(task)

    def _run(self) -> None:
        while task := self._next():
            self._perform(task)
        self._line.close()

    def _next(self) -> _Task | None:
        """Wait for a task; None at the end."""
        with self._changed:
            while True:
                if self._urgent:
                    return self._urgent.popleft()
                if self._closing:
                    return None
                first = min(self._periodic, key=lambda task: task.due, default=None)
                now = time.monotonic()
                if first and first.due <= now:
                    return first
                self._changed.wait(first.due - now if first else None)

    def _perform(self, task: _Task) -> None:
        if task.period:
            task.due = max(task.due + task.period, time.monotonic())
        try:
            try:
                task.job(_Turn(self, task))
            except Exception as error:  # noqa: BLE001 - the thread serves others too
                task.failed(error)
        except Exception:  # noqa: BLE001 - the same
            _log.exception("%s: what a job told of its failure could not be taken", self._line.place)

    def exchange(self, task: _Task, request: ModbusPDU, what: str) -> ModbusPDU:
        """For `_Turn`: one request and its answer, after those who may go before this task."""
        for other in self._before(task):
            self._perform(other)
        if self._closing and task.period:
            raise OSError(f"{self._line.place} is being closed")
        return self._line.exchange(request, what)

    def _before(self, task: _Task) -> list[_Task]:
        """Those that are let in now: each once, or two busy devices would keep a third from ever ending."""
        if not task.period:
            return []
        now = time.monotonic()
        with self._changed:
            urgent = list(self._urgent)
            self._urgent.clear()
            return urgent + [
                other for other in self._periodic if other.period < task.period and other.due <= now
            ]


class _Turn:
    """The `Registers` of one job."""

    def __init__(self, bus: Bus, task: _Task) -> None:
        self._bus = bus
        self._task = task

    def read_holding(self, unit: int, address: int, count: int) -> list[int]:
        request = ReadHoldingRegistersRequest(dev_id=unit, address=address, count=count)
        return self._read(request, "holding", count)

    def read_input(self, unit: int, address: int, count: int) -> list[int]:
        request = ReadInputRegistersRequest(dev_id=unit, address=address, count=count)
        return self._read(request, "input", count)

    def write(self, unit: int, address: int, value: int) -> None:
        request = WriteMultipleRegistersRequest(dev_id=unit, address=address, registers=[value])
        what = f"writing {value} to holding register {address:#06x}"
        answer = self._bus.exchange(self._task, request, what)
        if (answer.address, answer.count) != (address, 1):
            raise OSError(f"unit {unit} answers another request than {what}")

    def _read(self, request: ModbusPDU, kind: str, count: int) -> list[int]:
        last = request.address + count - 1
        place = f"{request.address:#06x}" + (f" to {last:#06x}" if count > 1 else "")
        what = f"reading {kind} register{'s' if count > 1 else ''} {place}"
        answer = self._bus.exchange(self._task, request, what)
        if len(answer.registers) != count:
            found = len(answer.registers)
            raise OSError(f"unit {request.dev_id} answers {found} registers to {what}")
        return list(answer.registers)


class _Line:
    """The wire or the connection: opened when needed, closed when broken, not tried too often."""

    def __init__(self, plan: ModbusBus) -> None:
        self._plan = plan
        self.place = f"{plan.host}:{plan.tcp_port}" if plan.host else plan.port
        self._client: ModbusBaseSyncClient | None = None
        self._heard = 0
        self._late: dict[int, tuple[tuple[int, int, int], float]] = {}
        """Unit → what it has not answered (function code, count, address), and until when it may."""
        self._unanswered = 0
        self._delay = 0.0
        self._again = -inf
        self._reason = ""

    def close(self) -> None:
        if self._client:
            self._client.close()  # type: ignore[no-untyped-call]
        self._client = None

    def exchange(self, request: ModbusPDU, what: str) -> ModbusPDU:
        """One request, one answer.

        Raises:
            OSError: there is none that is right.
        """
        client = self._opened()
        self._refuse_confusion(request)
        sent = time.monotonic()
        client.comm_params.timeout_connect = self._patience(request)
        self._heard = 0
        try:
            answer = client.execute(no_response_expected=False, request=request)
        except ModbusIOException:  # nothing, or nothing readable
            self._late[request.dev_id] = _kind(request), sent + LATE
            raise self._silent(request.dev_id, what) from None
        except (OSError, ConnectionException) as error:
            self.close()
            # The text of pymodbus names its objects, not what was found.
            why = f": {error}" if isinstance(error, OSError) else ""
            raise OSError(
                f"{self.place}: connection lost while {what} of unit {request.dev_id}{why}"
            ) from None
        self._unanswered = 0
        self._delay = 0.0
        if answer.isError():
            code = answer.exception_code
            meaning = EXCEPTIONS.get(code, "refuses")
            raise OSError(f"unit {request.dev_id} {meaning} (exception {code} to {what})")
        if answer.function_code != request.function_code:
            raise OSError(f"unit {request.dev_id} answers another request than {what}")
        return answer

    def _refuse_confusion(self, request: ModbusPDU) -> None:
        """An answer does not say to which request, and of which address; only over TCP it has a number.

        A repeated request may get the answer to the one before, which is as good; so may the one after it.
        """
        if self._plan.host or request.dev_id not in self._late:
            return
        late, until = self._late[request.dev_id]
        now = time.monotonic()
        if now >= until:
            del self._late[request.dev_id]
        elif _kind(request) == late:
            self._late[request.dev_id] = late, now + LATE
        elif _kind(request)[:2] == late[:2]:
            raise OSError(f"unit {request.dev_id} may still answer what it was asked before")

    def _patience(self, request: ModbusPDU) -> float:
        if self._plan.host:
            return NETWORK
        characters = 8 + 5 + 2 * request.count  # of the request, and of an answer
        return TURNAROUND + characters * 11 / self._plan.baud

    def _silent(self, unit: int, what: str) -> OSError:
        self._unanswered += 1
        if self._plan.host and self._unanswered >= PATIENCE:
            self._unanswered = 0
            self.close()  # a gateway that was switched off and on knows nothing of our connection
        if self._heard:
            remedy = (
                "" if self._plan.host else ": check baud, parity, and that no two devices have one number"
            )
            return OSError(f"unit {unit}: {self._heard} bytes that are no answer to {what}{remedy}")
        return OSError(f"unit {unit} does not answer {what}")

    def _opened(self) -> ModbusBaseSyncClient:
        if self._client:
            return self._client
        now = time.monotonic()
        if now < self._again:
            raise OSError(self._reason)
        first, most = BACK_OFF
        self._delay = min(2 * self._delay, most) if self._delay else first
        try:
            self._client = self._open()
        except Exception as error:  # noqa: BLE001 - termios.error, which pyserial lets through, is no OSError
            self._again = time.monotonic() + self._delay
            self._reason = f"{self.place} cannot be opened: {_words(error)}"
            raise OSError(self._reason) from None
        return self._client

    def _open(self) -> ModbusBaseSyncClient:
        """Connect by ourselves: pymodbus would tell its log why it failed, and us only that it did."""
        plan = self._plan
        client: ModbusSerialClient | ModbusTcpClient
        if plan.host:
            client = ModbusTcpClient(plan.host, port=plan.tcp_port, retries=0, trace_packet=self._hear)
            client.socket = socket.create_connection((plan.host, plan.tcp_port), NETWORK)
            return client
        client = ModbusSerialClient(
            plan.port,
            baudrate=plan.baud,
            parity=plan.parity,
            stopbits=plan.stop_bits,
            retries=0,
            trace_packet=self._hear,
        )
        client.socket = serial.Serial(
            plan.port,
            baudrate=plan.baud,
            parity=plan.parity,
            stopbits=plan.stop_bits,
            timeout=NETWORK,
            write_timeout=NETWORK,
            exclusive=True,
        )
        client.socket.inter_byte_timeout = client.inter_byte_timeout
        return client

    def _hear(self, sending: bool, data: bytes) -> bytes:
        if not sending:
            self._heard = len(data)
        return data


def _kind(request: ModbusPDU) -> tuple[int, int, int]:
    return request.function_code, request.count, request.address


def _words(error: Exception) -> str:
    """Why a bus cannot be opened. pyserial puts a sentence of its own around the one of the system."""
    number = error.errno if isinstance(error, OSError) else None
    if number is None or number <= 0:  # a time-out, a name that nobody knows
        return str(error)
    return REASONS.get(number) or os.strerror(number)
