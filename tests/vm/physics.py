"""What is wired to the lines of the virtual board, and follows them: contactor, residual-current monitor, sign of life."""

from __future__ import annotations

import socketserver
import threading
import time

from machine import Machine

COIL, MIRROR, STOP, TRIPPED, TEST, LIFE, DOOR = 0, 1, 2, 4, 5, 6, 7


class Physics:
    """A thread that looks at the outputs of the chip and moves its inputs."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.coil = self.tripped = self._testing = False
        self.coil_fell = 0.0
        """When, monotonic s."""
        self.pulses = 0
        """Edges of the sign of life."""
        self.stuck: bool | None = None
        """Where the contactor stays."""
        self.reset()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def reset(self) -> None:
        """Nothing is pressed, open, tripped or stuck."""
        self.stuck = None
        self.tripped = False
        for line in (STOP, TRIPPED, DOOR):
            self.machine.set(line, 0)
        self.machine.set(MIRROR, int(self.coil))

    def close(self) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        life = 0
        while not self._ended.wait(0.005):
            levels = self.machine.driven()
            if self.coil != bool(levels & 1 << COIL):
                self.coil = not self.coil
                if not self.coil:
                    self.coil_fell = time.monotonic()
                # Normally closed: it opens when the contactor closes.
                self.machine.set(MIRROR, int(self.coil if self.stuck is None else self.stuck))
            if self._testing != bool(levels & 1 << TEST):
                self._testing = not self._testing
                self._tell_trip()
            self.pulses += life != levels & 1 << LIFE
            life = levels & 1 << LIFE

    def trip(self, now: bool) -> None:
        """A residual current flows, or ends."""
        self.tripped = now
        self._tell_trip()

    def _tell_trip(self) -> None:
        """The monitor's contact opens on a residual current, and while its self-test makes one."""
        self.machine.set(TRIPPED, int(self.tripped or self._testing))


class LineServer(socketserver.ThreadingTCPServer):
    """Lets whoever is inside the machine do what somebody outside does: a line is a command, and is answered."""

    daemon_threads = True

    def __init__(self, physics: Physics) -> None:
        self.physics = physics
        super().__init__(("127.0.0.1", 0), _Caller)
        self.port = self.server_address[1]
        threading.Thread(target=self.serve_forever, daemon=True).start()


class _Caller(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        server = self.server
        assert isinstance(server, LineServer)
        for line in self.rfile:
            self.wfile.write(self._do(server.physics, line.decode().split()).encode() + b"\n")

    def _do(self, physics: Physics, words: list[str]) -> str:
        match words:
            case ["reset"]:
                physics.reset()
            case ["coil"]:
                return str(int(bool(physics.machine.driven() & 1 << COIL)))
            case ["stop", level]:
                physics.machine.set(STOP, int(level))
            case ["trip", level]:
                physics.trip(level == "1")
            case ["stuck", level]:
                physics.stuck = level == "1"
            case _:
                return f"cannot: {words}"
        return "ok"
