"""Where a Python process spends its time: looked at many times a second for a while, on demand."""

from perf.profile.profiler import Profiler
from perf.profile.stacks import Profile, Stack

__all__ = ["Profile", "Profiler", "Stack"]
