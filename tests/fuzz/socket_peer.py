"""A raw WebSocket server on the loopback interface that can say anything, and stop in the middle of it.

Knows bytes and frames (RFC 6455), no OCPP. Every text of the client goes into a queue; None in it is the end.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import struct
from typing import Any

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


def frame(opcode: int, content: bytes, *, final: bool = True, reserved: int = 0) -> bytes:
    """One frame as a server sends it, without a mask."""
    head = bytes([(0x80 if final else 0) | reserved << 4 | opcode])
    size = len(content)
    if size < 126:
        return head + bytes([size]) + content
    if size < 65_536:
        return head + b"\x7e" + struct.pack(">H", size) + content
    return head + b"\x7f" + struct.pack(">Q", size) + content


class SocketPeer:
    """The other end of one link at a time; the newest connection counts."""

    def __init__(self) -> None:
        self.texts: asyncio.Queue[str | None] = asyncio.Queue()
        self._writer: asyncio.StreamWriter | None = None
        self._tasks: set[asyncio.Task[Any]] = set()

    async def start(self) -> str:
        """Listen; the URL."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return f"ws://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/ocpp"

    async def close(self) -> None:
        self._server.close()
        self.cut()
        await asyncio.gather(*self._tasks)
        await self._server.wait_closed()

    def write(self, data: bytes) -> None:
        if self._writer and not self._writer.is_closing():
            self._writer.write(data)

    def say(self, text: str) -> None:
        self.write(frame(TEXT, text.encode()))

    def cut(self) -> None:
        """No farewell: the socket is reset."""
        if self._writer:
            self._writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        try:
            request = await reader.readuntil(b"\r\n\r\n")
            lines = [line.split(b": ", 1) for line in request.split(b"\r\n") if b": " in line]
            key = next(value for name, value in lines if name.lower() == b"sec-websocket-key")
            accept = base64.b64encode(hashlib.sha1(key + GUID).digest())
            self._writer = writer
            writer.write(
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Protocol: ocpp1.6\r\nSec-WebSocket-Accept: " + accept + b"\r\n\r\n"
            )
            while True:
                opcode, content = await _read(reader)
                if opcode == TEXT:
                    self.texts.put_nowait(content.decode())
                elif opcode == PING:
                    writer.write(frame(PONG, content))
                elif opcode == CLOSE:
                    writer.write(frame(CLOSE, content))
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client is gone, or we have cut it off
        finally:
            self.texts.put_nowait(None)
            writer.transport.abort()
            self._tasks.discard(task)


async def _read(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    first, second = await reader.readexactly(2)
    assert first & 0x80, "the client never fragments"
    assert second & 0x80, "a client masks what it sends"
    size = second & 0x7F
    if size == 126:
        (size,) = struct.unpack(">H", await reader.readexactly(2))
    elif size == 127:
        (size,) = struct.unpack(">Q", await reader.readexactly(8))
    mask = await reader.readexactly(4)
    masked = await reader.readexactly(size)
    return first & 0x0F, bytes(byte ^ mask[position % 4] for position, byte in enumerate(masked))
