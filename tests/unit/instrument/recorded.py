"""What tests of instrumented clients ask a recorder."""

from __future__ import annotations

from perf.model import HistogramSample, Sample
from perf.record import Recorder


class Recorded:
    """Everything one drain told."""

    def __init__(self, recorder: Recorder) -> None:
        told = recorder.drain(1.0)
        statements = "db_client_operation_duration_seconds"
        self._histograms = [
            each for each in told if isinstance(each, HistogramSample) and each.metric.name == statements
        ]
        self._samples = [each for each in told if isinstance(each, Sample)]

    def calls(self) -> dict[str, int]:
        """Summary of a statement -> how often it ran."""
        return {dict(each.labels)["db_query_summary"]: each.histogram.count for each in self._histograms}

    def seconds(self, summary: str) -> float:
        """The longest call of *summary*."""
        named = [each for each in self._histograms if dict(each.labels)["db_query_summary"] == summary]
        return max(each.histogram.high for each in named)

    def labels(self) -> list[dict[str, str]]:
        """Labels of every statement."""
        return [dict(each.labels) for each in self._histograms]

    def counted(self, metric: str, label: str) -> dict[str, float]:
        """*label* -> value of the counter *metric*, where it isn't zero."""
        found = [each for each in self._samples if each.metric.name == metric and each.value]
        return {dict(each.labels)[label]: each.value for each in found}

    def edges(self) -> set[tuple[str, str, str]]:
        """(caller, callee, kind) of the traces."""
        found = [dict(each.labels) for each in self._samples if each.metric.name == "trace_calls_total"]
        return {(each["caller"], each["callee"], each["kind"]) for each in found}
