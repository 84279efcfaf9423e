"""Looks at what every thread of this process executes, without touching the code that runs. Its own time is measured and bounded."""

from __future__ import annotations

import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from time import perf_counter, thread_time
from types import CodeType, FrameType

from perf.ports import Clock
from perf.profile.stacks import Profile, counted

BOUND = 0.1
"""The share of a core that looking may take; above it is looked less often."""
DEEPEST = 150
"""Frames of a stack; of a deeper one the outer frames are left out."""
_WAITING: Mapping[str, frozenset[str]] = {
    "threading.py": frozenset({"wait", "join", "_wait_for_tstate_lock", "acquire"}),
    "selectors.py": frozenset({"select"}),
    "queue.py": frozenset({"get"}),
    "socket.py": frozenset({"accept", "readinto", "recv_into"}),
    "ssl.py": frozenset({"read"}),
    "subprocess.py": frozenset({"_try_wait", "wait"}),
    "thread.py": frozenset({"_worker"}),  # concurrent.futures: its queue waits in C
    "runners.py": frozenset({"run"}),  # asyncio under a loop that is written in C
    "connection.py": frozenset({"_recv", "wait"}),  # multiprocessing
}
"""File -> functions in which a thread waits for something; what ends there is idle."""
_BEGINNING = ("Thread._bootstrap", "Thread._bootstrap_inner", "Thread.run")
_BUSY = 0.05
"""The share of a core that a thread must have used since the look before; below it, it waits somewhere in C."""


class Looks:
    """What was seen so far."""

    def __init__(self, *, idle: bool) -> None:
        self._idle = idle
        self._stacks: Counter[tuple[str, tuple[CodeType, ...]]] = Counter()
        self._own = threading.get_ident()
        self._used: dict[int, float] = {}
        self._looked = perf_counter()
        self.count = 0

    def look(self) -> None:
        """Note the stack of every thread but this one."""
        self.count += 1
        threads = {thread.ident: thread for thread in threading.enumerate()}
        since, self._looked = self._looked, perf_counter()
        for ident, frame in sys._current_frames().items():  # noqa: SLF001 - the documented way to the frames of threads
            thread = threads.get(ident)
            worked = self._idle or self._worked(thread, self._looked - since)
            if ident != self._own and worked and (self._idle or not _waits(frame)):
                self._stacks[thread.name if thread else f"thread {ident}", _codes(frame)] += 1

    def _worked(self, thread: threading.Thread | None, seconds: float) -> bool:
        """Whether *thread* used the processor in the last *seconds*; it may have, where nobody tells."""
        used = None if thread is None or thread.native_id is None else _cpu_seconds(thread.native_id)
        if used is None or thread is None or thread.native_id is None:
            return True
        before = self._used.get(thread.native_id)
        self._used[thread.native_id] = used
        return before is not None and used - before >= _BUSY * seconds

    def profile(self, **about: float) -> Profile:
        """What was seen, as a value; *about* are its other fields."""
        labels: dict[CodeType, str] = {}
        stacks = counted(
            ((thread, *(labels.setdefault(code, _label(code)) for code in codes if not _begins(code))), count)
            for (thread, codes), count in self._stacks.items()
        )
        return Profile(samples=self.count, stacks=stacks, **about)  # type: ignore[arg-type]  # the rest are numbers


def sampled(
    seconds: float,
    rate: float,
    clock: Clock,
    *,
    pid: int,
    idle: bool = False,
    wait: Callable[[float], object] | None = None,
) -> Profile:
    """Look at this process *rate* times a second for *seconds*, on the thread that calls. Idle threads only with *idle*.

    A look at 20 threads takes about 0.1 ms; the pauses between looks grow so that all of them stay below BOUND of a core.
    *wait* waits for so many seconds, and ends the profile when it answers True.
    """
    pause = wait or threading.Event().wait
    looks = Looks(idle=idle)
    started, began, spent = clock.now(), perf_counter(), thread_time()
    due = began
    while (now := perf_counter()) - began < seconds:
        looks.look()
        took = perf_counter() - now
        due = max(due + 1.0 / rate, now + took / BOUND)
        if pause(max(0.0, min(due, began + seconds) - perf_counter())):
            break
    lasted = perf_counter() - began
    return looks.profile(
        pid=pid,
        started=started,
        seconds=lasted,
        rate=rate,
        cost=(thread_time() - spent) / lasted,
        kept=min(1.0, looks.count / max(1.0, lasted * rate)),
    )


def _cpu_seconds(native_id: int) -> float | None:
    """Processor time of a thread of this process; None where the system doesn't tell, or the thread has ended."""
    if sys.platform != "linux":
        return None
    # The clock's number as Linux makes it. pthread_getcpuclockid would crash on a thread that has just ended.
    try:
        return time.clock_gettime((~native_id << 3) | 6)
    except OSError:
        return None


def _codes(frame: FrameType | None) -> tuple[CodeType, ...]:
    """The code of every frame, outermost first."""
    found: list[CodeType] = []
    while frame is not None and len(found) < DEEPEST:
        found.append(frame.f_code)
        frame = frame.f_back
    return tuple(reversed(found))


def _waits(frame: FrameType) -> bool:
    code = frame.f_code
    return code.co_name in _WAITING.get(code.co_filename.rpartition("/")[2], ())


def _begins(code: CodeType) -> bool:
    """Whether it only starts a thread, as the outermost frames of every thread do."""
    return code.co_qualname in _BEGINNING and code.co_filename.endswith("threading.py")


def _label(code: CodeType) -> str:
    """``Class.method (folder/file.py:12)``, with the line on which the function begins."""
    file = "/".join(code.co_filename.split("/")[-2:])
    return f"{code.co_qualname} ({file}:{code.co_firstlineno})"
