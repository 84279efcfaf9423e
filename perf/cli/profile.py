"""Where the running monitor, or another Python process, spends its time. Exit code: 0, 2 when nobody could look."""

from __future__ import annotations

import argparse
import sys
import threading
from pathlib import Path

from perf.cli import owner, remote
from perf.cli.table import rendered
from perf.clock import SystemClock
from perf.errors import PerfError
from perf.profile.external import profiled
from perf.profile.profiler import RATES, ProfileRequest, ProfilerState
from perf.profile.stacks import Profile, collapsed, costliest, speedscope
from perf.wire.link import Link

SUMMARY = "where perf, or another Python process, spends its time"
EXAMPLES = """\
examples:
  python -m perf profile                                           the running monitor, ten seconds
  python -m perf profile --pid 4711 --seconds 30 --rate 200        another process, by py-spy
  python -m perf profile --output hot.json --format speedscope     to open at https://www.speedscope.app
  python -m perf profile --output hot.txt                          collapsed stacks, for flame graph tools
"""

_POLL = 0.2


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of this verb."""
    parser.add_argument(
        "--pid", type=int, help="another Python process of this machine (default: the owner of the store)"
    )
    parser.add_argument("--seconds", type=float, default=10.0, help="for how long (default: 10)")
    parser.add_argument("--rate", type=float, default=100.0, help="looks a second (default: 100)")
    parser.add_argument("--idle", action="store_true", help="show threads that wait, too")
    parser.add_argument("--format", choices=("collapsed", "speedscope"), default="collapsed", help="of the file")
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help="write all stacks there (default: print the costliest)"
    )
    remote.arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Take a profile, and write or print it."""
    wanted = _wanted(options)
    if options.pid is not None:
        profile = profiled(options.pid, wanted, SystemClock())
    else:
        asked = owner.link(options)
        profile = _asked(asked, wanted)
    if options.output is not None:
        content = speedscope(profile) if options.format == "speedscope" else collapsed(profile).encode()
        options.output.write_bytes(content)
    else:
        _print(profile)
    cost = f", looking took {profile.cost:.1%} of a core" if profile.cost else ""
    print(f"process {profile.pid}: {profile.samples} looks in {profile.seconds:.1f} s{cost}", file=sys.stderr)
    return 0


def _wanted(options: argparse.Namespace) -> ProfileRequest:
    if not RATES[0] <= options.rate <= RATES[1]:
        raise PerfError(f"--rate: from {RATES[0]:g} to {RATES[1]:g} looks a second, not {options.rate:g}")
    if not 0.1 <= options.seconds <= 3600:
        raise PerfError(f"--seconds: from 0.1 to 3600, not {options.seconds:g}")
    return ProfileRequest(seconds=options.seconds, rate=options.rate, idle=options.idle)


def _asked(there: Link, wanted: ProfileRequest) -> Profile:
    remote.asked(there, "profiles", ProfilerState, wanted)
    pause = threading.Event()
    while (state := remote.asked(there, "profiles", ProfilerState)).running:
        pause.wait(_POLL)
    if state.error:
        raise PerfError(f"the profile failed: {state.error}")
    return remote.asked(there, "profiles/newest", Profile)


def _print(profile: Profile) -> None:
    total = sum(one.count for one in profile.stacks)
    if not total:
        print("every thread was waiting; --idle shows where")
        return
    rows = [(f"{own / total:.1%}", f"{whole / total:.1%}", name) for name, own, whole in costliest(profile)]
    print(rendered(("self", "with calls", "function"), rows))
