"""An OTLP receiver for tests of what sends."""

from __future__ import annotations

import gzip
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from perf.model import Kind, Metric

JOBS = Metric("jobs_total", Kind.COUNTER)


class Collector:
    """A receiver that answers as told and keeps what it took: (producer, number, values of `JOBS`), and every sum."""

    def __init__(self, port: int = 0) -> None:
        self.status, self.headers, self.body = 200, {}, b""
        self.taken: list[tuple[str, int, list[float]]] = []
        self.sums: list[tuple[str, str, float]] = []
        outer = self

        class Answers(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = gzip.decompress(self.rfile.read(int(self.headers["content-length"])))
                if outer.status == 200:
                    outer.keep(self.headers["x-perf-producer"], int(self.headers["x-perf-seq"]), body)
                self.send_response(outer.status)
                for name, value in {**outer.headers, "content-length": str(len(outer.body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(outer.body)

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", port), Answers)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()

    def keep(self, producer: str, seq: int, body: bytes) -> None:
        request = ExportMetricsServiceRequest.FromString(body)
        metrics = [m for r in request.resource_metrics for s in r.scope_metrics for m in s.metrics]
        self.sums += [(producer, m.name, p.as_double) for m in metrics for p in m.sum.data_points]
        values = [p.as_double for m in metrics if m.name == JOBS.name for p in m.sum.data_points]
        if values:
            self.taken.append((producer, seq, values))

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    @property
    def values(self) -> list[float]:
        return [value for _, _, values in self.taken for value in values]
