"""Recording: what a program hands over about itself, at the price of a few hundred nanoseconds a call."""

from perf.record.callers import Edge
from perf.record.recorder import Recorder, current
from perf.record.series import Counter, Distribution, Gauge, Values

__all__ = ["Counter", "Distribution", "Edge", "Gauge", "Recorder", "Values", "current"]
