"""A stock OpenTelemetry program: knows nothing of perf. Arguments: the address to send to, protobuf's temporality (or none)."""

from __future__ import annotations

import sys

from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

ROUNDS = 4
DURATIONS = (0.01, 0.02, 0.3, 4.0)


def main() -> None:
    """Four exports of everything, then traces."""
    url = sys.argv[1]
    resource = Resource({"service.name": "stock", "host.name": "elsewhere"})
    exporter = OTLPMetricExporter(f"{url}/v1/metrics", compression=Compression.Gzip)
    reader = PeriodicExportingMetricReader(exporter, export_interval_millis=60_000)
    view = View(instrument_name="exp.duration", aggregation=ExponentialBucketHistogramAggregation())
    provider = MeterProvider([reader], resource=resource, views=[view])
    meter = provider.get_meter("stock")
    jobs, depth = meter.create_counter("jobs", "{job}"), meter.create_gauge("queue.depth", "{job}")
    active = meter.create_up_down_counter("active", "{job}")
    explicit = meter.create_histogram("work.duration", "s", explicit_bucket_boundaries_advisory=[0.005, 0.05, 0.5, 5.0])
    exponential = meter.create_histogram("exp.duration", "s")
    active.add(3)
    for number in range(1, ROUNDS + 1):
        jobs.add(5, {"queue.name": "mail"})
        depth.set(number)
        for seconds in DURATIONS:
            explicit.record(seconds)
            exponential.record(seconds)
        assert reader.force_flush()
    active.add(-1)
    provider.shutdown()
    tracers = TracerProvider(resource=resource)
    tracers.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"{url}/v1/traces")))
    with tracers.get_tracer("stock").start_as_current_span("load"):
        pass
    tracers.shutdown()


if __name__ == "__main__":
    main()
