"""One client of server-sent events: a bounded buffer between what happens and how fast it is read (WHATWG HTML, 9.2)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress

import msgspec

HEARTBEAT = 15.0
"""Seconds of silence after which a comment shows that the connection lives."""
BUFFER = 100
"""Events that may wait for a client; beyond that it is too slow, is told so, and has to come again."""
PATIENCE = 10.0
"""Seconds that a slow client has to take in what it is told at the end."""

Produce = Callable[["Client"], Awaitable[None]]


class Client:
    """Who listens. Used by one event loop."""

    def __init__(self) -> None:
        self._waiting: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._open = True

    def tell(self, kind: str, content: object, *, id: str = "") -> None:
        """Send *content* as JSON, as an event of *kind*; a client that is too slow for it is dropped instead."""
        if not self._open:
            return
        if self._waiting.qsize() >= BUFFER:
            while not self._waiting.empty():
                self._waiting.get_nowait()
            self.end("dropped", f"{BUFFER} events waited: come again with Last-Event-ID")
            return
        head = f"id: {id}\n" if id else ""
        data = msgspec.json.encode(content).decode()
        self._waiting.put_nowait(f"{head}event: {kind}\ndata: {data}\n\n".encode())

    def end(self, kind: str, why: str) -> None:
        """Say why this is the end, and end."""
        if self._open:
            self._open = False
            self._waiting.put_nowait(
                f"event: {kind}\ndata: {msgspec.json.encode({'detail': why}).decode()}\n\n".encode()
            )
            self._waiting.put_nowait(None)

    @property
    def listens(self) -> bool:
        """Whether more can be told."""
        return self._open

    async def stream(self, produce: Produce) -> AsyncIterator[bytes]:
        """What *produce* tells, as bytes; it is ended with the stream, and the stream with it."""
        yield b"retry: 3000\n\n"
        task = asyncio.create_task(self._produced(produce))
        try:
            while (event := await self._next()) is not None:
                yield event
        finally:
            self._open = False
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _next(self) -> bytes | None:
        try:
            return await asyncio.wait_for(self._waiting.get(), HEARTBEAT)
        except TimeoutError:
            return b": still here\n\n"

    async def _produced(self, produce: Produce) -> None:
        try:
            await produce(self)
        except asyncio.CancelledError:
            self.end("end", "perf is ending")
            raise
        except Exception:
            self.end("error", "an unexpected error; the log has it")
            raise
        self.end("end", "nothing more comes")
