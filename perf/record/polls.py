"""What is asked before every drain: parts that count by themselves and tell the recorder only when it listens."""

from __future__ import annotations

from collections.abc import Callable


class Polls:
    """Callables that bring their series up to date. They may ask the recorder for series, and must be quick."""

    def __init__(self) -> None:
        self._polls: tuple[Callable[[], None], ...] = ()

    def add(self, poll: Callable[[], None]) -> None:
        """Ask *poll* from now on; once, however often it is added."""
        if poll not in self._polls:
            self._polls = (*self._polls, poll)

    def turn(self, failed: Callable[[str], None]) -> None:
        """Ask every one; what one raises goes to *failed*, and the others are asked all the same."""
        for poll in self._polls:
            try:
                poll()
            except Exception:  # noqa: BLE001 - the edge where perf must not break its host: one poll must not stop the drain.
                failed(f"asking {getattr(poll, '__qualname__', 'a poll')}")
