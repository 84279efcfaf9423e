"""Recording: what a program hands over about itself, at the price of a few hundred nanoseconds a call."""

from perf.record.exemplars import Exemplar
from perf.record.recorder import Recorder, current
from perf.record.series import Counter, Distribution, Gauge, Values
from perf.record.spans import Edge

__all__ = ["Counter", "Distribution", "Edge", "Exemplar", "Gauge", "Recorder", "Values", "current"]
