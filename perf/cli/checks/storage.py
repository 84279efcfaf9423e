"""Can the store work where it is: folder, space, owner, the clock against the file system's?"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from perf.cli import owner, remote
from perf.cli.checks.verdict import Check, fail, ok, warn
from perf.clock import SystemClock
from perf.ports import Clock, Distant
from perf.settings import Settings

SKEW_SECONDS = 5.0
EARLIEST = datetime(2025, 1, 1, tzinfo=UTC).timestamp()
"""No right clock is before this: a machine without a battery starts in 1970."""


def existing(folder: Path) -> Path:
    """*folder*, or the nearest folder above it that exists."""
    return next(path for path in (folder, *folder.parents) if path.is_dir())


def stored(settings: Settings) -> Iterator[Check]:
    """What the store needs: room here, or an owner elsewhere."""
    if settings.store.backend == owner.REMOTE:
        yield asked(settings)
        return
    yield folder(settings)
    yield space(settings)
    yield owned(settings)


def asked(settings: Settings) -> Check:
    """The owner elsewhere answers, takes the token, and speaks this version."""
    from perf.runtime import open_store  # half a second of imports that other checks don't need

    store = open_store(settings.store, SystemClock())
    try:
        reason = store.away() if isinstance(store, Distant) else ""
    finally:
        store.close()
    if reason:
        return fail(
            "owner", reason, "start it (python -m perf serve), or set PERF_STORE__URL and PERF_STORE__TOKEN_FILE"
        )
    return ok("owner", f"{settings.store.url} answers, and lets this process ask")


def folder(settings: Settings) -> Check:
    """A file can be made where the store is (or will be)."""
    wanted = Path(settings.store.path).absolute().parent
    place = existing(wanted)
    try:
        with tempfile.TemporaryFile(dir=place) as file:
            file.write(b"perf")
            file.flush()
    except OSError as error:
        return fail("folder", f"{place}: {error.strerror}", "make it writable for this user, or set PERF_STORE__PATH")
    return ok("folder", f"{wanted} is writable" if place == wanted else f"{wanted} will be made")


def space(settings: Settings, free: Callable[[Path], int] = lambda path: shutil.disk_usage(path).free) -> Check:
    """Free space against the floor of the settings."""
    left, floor = free(existing(Path(settings.store.path).absolute().parent)), settings.store.free_space_floor
    shown = f"{left / 2**20:,.0f} MiB free, the floor is {floor / 2**20:,.0f} MiB"
    if left < floor:
        return fail("space", shown, "make room: below the floor the oldest samples are dropped")
    return ok("space", shown) if left >= 2 * floor else warn("space", shown, "make room before the floor is reached")


def owned(settings: Settings) -> Check:
    """Who has the store."""
    path = Path(settings.store.path)
    found = owner.noted(settings)
    if found is not None:
        shown = f"process {found.pid} at {found.url}"
        if remote.answers(found.url):
            return ok("owner", f"{shown} answers")
        return fail("owner", f"{shown} does not answer", "look at its log; if it hangs, end it and start it again")
    size = f", {path.stat().st_size / 2**20:,.1f} MiB" if path.exists() else ", which does not exist yet"
    return ok("owner", f"nobody runs on {path}{size}")


def clock(settings: Settings, now: Clock) -> Check:
    """The wall clock against common sense and the file system's time."""
    wall = now.now()
    shown = datetime.fromtimestamp(wall, UTC).isoformat(timespec="seconds")
    advice = "set the clock: samples are stored under the time it shows"
    if wall < EARLIEST:
        return fail("clock", f"{shown} can't be right", advice)
    path = Path(settings.store.path)
    if path.exists() and path.stat().st_mtime > wall + SKEW_SECONDS:
        return warn("clock", f"{shown}, but the store was written {path.stat().st_mtime - wall:,.0f} s later", advice)
    return ok("clock", shown)
