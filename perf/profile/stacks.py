"""A profile as a value: stacks and how often each was seen; as collapsed text, as speedscope's JSON, as the boxes of a flame chart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TypeAlias

import msgspec

_SCHEMA = "https://www.speedscope.app/file-format-schema.json"
_Path: TypeAlias = tuple[str, ...]


class Stack(msgspec.Struct, frozen=True):
    """The frames of one stack, outermost first and its thread before them, and in how many samples it was seen."""

    frames: tuple[str, ...]
    count: int


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """What process *pid* did from *started* (Unix seconds) on for *seconds*, in *samples* looks at it.

    *cost* is the share of a core that looking took; *kept* the share of the wanted looks that were made.
    """

    pid: int
    started: float
    seconds: float
    rate: float
    samples: int
    cost: float
    kept: float
    stacks: tuple[Stack, ...]


class Box(msgspec.Struct, frozen=True, kw_only=True):
    """A box of a flame chart: *count* samples had *path*, *own* of them ended there. *parent* is a path, too."""

    path: _Path
    count: int
    own: int

    @property
    def parent(self) -> _Path:
        """The box that this one lies in; empty for a thread."""
        return self.path[:-1]


def counted(stacks: Iterable[tuple[_Path, int]]) -> tuple[Stack, ...]:
    """*stacks* with the same frames as one, the most frequent first."""
    total: Counter[_Path] = Counter()
    for frames, count in stacks:
        total[frames] += count
    return tuple(Stack(frames, count) for frames, count in sorted(total.items(), key=lambda one: (-one[1], one[0])))


def collapsed(profile: Profile) -> str:
    """A line a stack, ``frame;frame;frame count``, as flame graph tools read it."""
    return "".join(f"{';'.join(_bare(frame) for frame in one.frames)} {one.count}\n" for one in profile.stacks)


def parsed(text: str) -> tuple[Stack, ...]:
    """The stacks of collapsed *text*. Raises: ValueError naming the line that is none."""
    found: list[tuple[_Path, int]] = []
    for number, line in enumerate(text.splitlines(), 1):
        stack, _, count = line.rpartition(" ")
        if not stack or not count.isdecimal():
            raise ValueError(f"line {number} is no stack with a count: {line[:80]!r}")
        found.append((tuple(stack.split(";")), int(count)))
    return counted(found)


def speedscope(profile: Profile) -> bytes:
    """The profile as a file that https://www.speedscope.app opens, weights in seconds. A thread is a profile of its own there."""
    frames: dict[str, int] = {}
    threads: dict[str, list[Stack]] = {}
    for one in profile.stacks:
        threads.setdefault(one.frames[0], []).append(one)
    period = profile.seconds / profile.samples if profile.samples else 0.0
    profiles = [_sampled(name, found, frames, period) for name, found in threads.items()]
    return msgspec.json.encode(
        {
            "$schema": _SCHEMA,
            "name": f"process {profile.pid}",
            "exporter": "perf",
            "shared": {"frames": [{"name": name} for name in frames]},
            "profiles": profiles,
        }
    )


def boxes(profile: Profile, *, smallest: float = 0.002) -> list[Box]:
    """The boxes of a flame chart, parents first; those with less than *smallest* of all samples are left out."""
    seen: Counter[_Path] = Counter()
    own: Counter[_Path] = Counter()
    for one in profile.stacks:
        own[one.frames] += one.count
        for depth in range(1, len(one.frames) + 1):
            seen[one.frames[:depth]] += one.count
    least = smallest * sum(one.count for one in profile.stacks)
    found = [Box(path=path, count=count, own=own[path]) for path, count in seen.items() if count >= least]
    return sorted(found, key=lambda box: (len(box.path), -box.count, box.path))


def costliest(profile: Profile, count: int = 15) -> list[tuple[str, int, int]]:
    """The functions in which most samples ended: name, samples that ended there, samples in which it was anywhere."""
    own: Counter[str] = Counter()
    anywhere: Counter[str] = Counter()
    for one in profile.stacks:
        own[one.frames[-1]] += one.count
        for frame in set(one.frames[1:]):
            anywhere[frame] += one.count
    return [(name, times, anywhere[name]) for name, times in own.most_common(count)]


def _sampled(name: str, found: Sequence[Stack], frames: dict[str, int], period: float) -> dict[str, object]:
    samples = [[frames.setdefault(frame, len(frames)) for frame in one.frames[1:]] for one in found]
    weights = [one.count * period for one in found]
    return {
        "type": "sampled",
        "name": name,
        "unit": "seconds",
        "startValue": 0,
        "endValue": sum(weights),
        "samples": samples,
        "weights": weights,
    }


def _bare(frame: str) -> str:
    return frame.replace(";", ":").replace("\n", " ")
