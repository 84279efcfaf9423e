"""The answers of this process that go on until somebody leaves: known while they run, so that they can be ended first."""

from __future__ import annotations

import asyncio


class Streams:
    """Tasks that give endless answers, each in its own event loop."""

    def __init__(self) -> None:
        self._tasks: dict[asyncio.Task[object], asyncio.AbstractEventLoop] = {}
        self._ended: set[asyncio.Task[object]] = set()
        self._closed = False

    def end(self) -> None:
        """End all of them, and each that begins later; from any thread."""
        self._closed = True
        for task, loop in tuple(self._tasks.items()):
            loop.call_soon_threadsafe(self._end, task)

    def begin(self, task: asyncio.Task[object]) -> None:
        """*task* gives an endless answer from now on; called by itself."""
        loop = asyncio.get_running_loop()
        self._tasks[task] = loop
        if self._closed:
            loop.call_soon(self._end, task)

    def over(self, task: asyncio.Task[object]) -> bool:
        """*task* gives no answer any more; whether it was ended here."""
        self._tasks.pop(task, None)
        ended = task in self._ended
        self._ended.discard(task)
        return ended

    def _end(self, task: asyncio.Task[object]) -> None:
        if task in self._tasks and not task.done():
            self._ended.add(task)
            task.cancel()
