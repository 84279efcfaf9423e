"""Something that happens between two instructions, as another thread or a finalizer may: for tests that try all of them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from types import FrameType


class Interruption:
    """A trace function that calls *then* once, before instruction number *at* of the module in *file* at which *may* allows it."""

    def __init__(self, file: str, at: int, then: Callable[[], object], may: Callable[[], bool]) -> None:
        self._file = file
        self._left = at
        self._then = then
        self._may = may

    @property
    def came(self) -> bool:
        """Whether there were so many instructions."""
        return self._left < 0

    def __call__(self, frame: FrameType, event: str, _: object) -> Interruption:
        frame.f_trace_opcodes = True
        if event == "opcode" and frame.f_code.co_filename.endswith(self._file) and self._left >= 0 and self._may():
            self._left -= 1
            if self._left < 0:
                self._then()
        return self


def everywhere(
    file: str,
    begin: Callable[[], tuple[Callable[[], object], Callable[[], object], Callable[[], bool]]],
) -> Iterator[tuple[int, object]]:
    """The number of each instruction of *file* in a call, and what the call answered with something before that instruction.

    *begin* gives the call, what comes in between, and whether it may now; anew for every instruction.
    """
    at, came = -1, True
    while came:
        at += 1
        call, then, may = begin()
        interruption, before = Interruption(file, at, then, may), sys.gettrace()
        sys.settrace(interruption)
        try:
            answer = call()
        finally:
            sys.settrace(before)
        came = interruption.came
        yield at, answer
    assert at > 0, f"no instruction of {file}"
