from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from starlette.applications import Starlette
from starlette.testclient import TestClient

from perf.clock import ManualClock
from perf.errors import StoreBusy, StoreError
from perf.model import Batch, HistogramSample, Measurement, Sample
from perf.transport import otlp, receiver
from perf.transport.ledger import Ledger
from perf.transport.receiver import Receiver
from tests.services import eventually
from tests.unit.transport.wire import NOW, attribute, explicit, gauge, metric, request, spans, total

PROTOBUF = {"content-type": "application/x-protobuf"}
JSON = {"content-type": "application/json"}
OTLP_JSON = {
    "resourceMetrics": [
        {
            "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]},
            "scopeMetrics": [
                {
                    "metrics": [
                        {
                            "name": "queue.depth",
                            "unit": "{job}",
                            "unknownField": 1,
                            "gauge": {
                                "dataPoints": [
                                    {
                                        "timeUnixNano": str(int(NOW * 1e9)),
                                        "asInt": "4",
                                        "exemplars": [{"traceId": "5b8efff798038103d269b633813fc60c", "spanId": "eee19b7ec3c1b174"}],
                                    }
                                ]
                            },
                        },
                        {
                            "name": "jobs",
                            "sum": {
                                "aggregationTemporality": 2,
                                "isMonotonic": True,
                                "dataPoints": [
                                    {
                                        "startTimeUnixNano": str(int(NOW * 1e9)),
                                        "timeUnixNano": str(int(NOW * 1e9) + 10**9),
                                        "asDouble": 7,
                                    }
                                ],
                            },
                        },
                    ]
                }
            ],
        }
    ]
}  # fmt: skip


class Shelf:
    """Stands for the writer: keeps what is submitted, or fails as told."""

    def __init__(self) -> None:
        self.kept: list[Measurement] = []
        self.refuse: Exception | None = None
        self.fail: Exception | None = None
        self.hold: list[Future[None]] | None = None

    def submit(self, samples: Sequence[Measurement], batch: Batch | None = None) -> Future[None]:
        if self.refuse is not None:
            raise self.refuse
        self.kept += samples
        done: Future[None] = Future()
        if self.hold is not None:
            self.hold.append(done)
        elif self.fail is not None:
            done.set_exception(self.fail)
        else:
            done.set_result(None)
        return done

    def values(self, name: str) -> list[float]:
        return [each.value for each in self.kept if isinstance(each, Sample) and each.metric.name == name]


class Inbox:
    """A receiver behind a client, on a clock that stands still."""

    def __init__(self) -> None:
        self.shelf = Shelf()
        self.ledger = Ledger()
        self.receiver = Receiver(self.shelf.submit, ManualClock(NOW), ledger=self.ledger)
        self.client = TestClient(Starlette(routes=self.receiver.routes()), raise_server_exceptions=False)

    def post(self, body: bytes, path: str = "/v1/metrics", **headers: str) -> httpx2.Response:
        told = {**PROTOBUF, **{name.replace("_", "-"): value for name, value in headers.items()}}
        return self.client.post(path, content=body, headers=told)

    def own(self, seq: int, value: float = 1.0, producer: str = "web1-1") -> httpx2.Response:
        sent = request(total("jobs", value, at=0.5, temporality=1))
        return self.post(sent.SerializeToString(), x_perf_producer=producer, x_perf_seq=str(seq))


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


def test_protobuf_is_stored_and_answered_in_protobuf(inbox: Inbox) -> None:
    answer = inbox.post(request(gauge("depth", 4.0)).SerializeToString())
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/x-protobuf")
    assert ExportMetricsServiceResponse.FromString(answer.content) == ExportMetricsServiceResponse()
    assert inbox.shelf.values("depth") == [4.0]


def test_json_with_hex_ids_text_numbers_and_unknown_fields(inbox: Inbox) -> None:
    answer = inbox.client.post("/v1/metrics", json=OTLP_JSON)
    assert (answer.status_code, answer.json()) == (200, {})
    assert (inbox.shelf.values("queue_depth"), inbox.shelf.values("jobs_total")) == ([4.0], [0.0, 7.0])


def test_gzip_of_one_or_two_members(inbox: Inbox) -> None:
    body = request(gauge("depth", 4.0)).SerializeToString()
    assert inbox.post(gzip.compress(body), content_encoding="gzip").status_code == 200
    # Messages concatenate, and so do gzip members.
    assert inbox.post(gzip.compress(body) + gzip.compress(body), content_encoding="gzip").status_code == 200
    assert inbox.shelf.values("depth") == [4.0] * 3


def test_an_empty_request_is_fine(inbox: Inbox) -> None:
    assert inbox.post(b"").status_code == 200


def test_partial_success_says_how_many_and_why(inbox: Inbox) -> None:
    sent = request(gauge("a", float("nan")), gauge("b", 1.0), gauge("c", 1.0, at=-(10**7)))
    partial = ExportMetricsServiceResponse.FromString(inbox.post(sent.SerializeToString()).content).partial_success
    assert partial.rejected_data_points == 2
    assert partial.error_message == "1 x not finite; 1 x too old, or without a time"
    assert inbox.receiver.tally().rejected == {"not finite": 1, "too old, or without a time": 1}


def test_partial_success_in_json(inbox: Inbox) -> None:
    tree = json.loads(json.dumps(OTLP_JSON).replace('"asInt": "4"', '"asDouble": "NaN"'))
    answer = inbox.client.post("/v1/metrics", json=tree).json()
    assert answer == {"partialSuccess": {"rejectedDataPoints": "1", "errorMessage": "1 x not finite"}}


def test_traces_become_durations(inbox: Inbox) -> None:
    sent = spans({"name": "load", "seconds": 2.0}, {"name": "x", "seconds": -1.0})
    answer = inbox.post(sent.SerializeToString(), "/v1/traces")
    assert ExportTraceServiceResponse.FromString(answer.content).partial_success.rejected_spans == 1
    assert [each.metric.name for each in inbox.shelf.kept] == ["span_duration_seconds"]


def test_a_server_that_sends_both_is_counted_once(inbox: Inbox) -> None:
    attributes = {"http__request__method": "GET"}
    inbox.post(request(explicit("http.server.request.duration", [1, 0], [1.0], at=0)).SerializeToString())
    span = spans({"name": "GET", "kind": 2, "seconds": 1.0, "attributes": attributes})
    inbox.post(span.SerializeToString(), "/v1/traces")
    assert [each.metric.name for each in inbox.shelf.kept] == [
        "http_server_request_duration_seconds",
        "span_duration_seconds",
    ]


@pytest.mark.parametrize(
    ("body", "headers", "status", "code"),
    [
        (b"x", {"content-type": "text/plain"}, 415, 3),
        (b"x", {}, 415, 3),
        (b"x", {**PROTOBUF, "content-encoding": "zstd"}, 415, 3),
        (b"\xff\xff\xff", PROTOBUF, 400, 3),
        (b"{", JSON, 400, 3),
        (b"[]", JSON, 400, 3),
        (b'{"resourceMetrics": 7}', JSON, 400, 3),
        (b"[" * 100_000, JSON, 400, 3),
        (b"not gzip", {**PROTOBUF, "content-encoding": "gzip"}, 400, 3),
        (gzip.compress(b"x" * 99, mtime=0)[:-9], {**PROTOBUF, "content-encoding": "gzip"}, 400, 3),
        (b"x" * (otlp.LARGEST + 1), PROTOBUF, 413, 8),
        (b"x" * (otlp.LARGEST_COMPRESSED + 1), {**PROTOBUF, "content-encoding": "gzip"}, 413, 8),
        (gzip.compress(b"x" * (otlp.LARGEST + 1), mtime=0), {**PROTOBUF, "content-encoding": "gzip"}, 413, 8),
        (b"", {**PROTOBUF, "x-perf-producer": "a"}, 400, 3),
        (b"", {**PROTOBUF, "x-perf-producer": "a", "x-perf-seq": "-1"}, 400, 3),
    ],
)
def test_what_is_refused_says_so_in_the_encoding_of_the_request(
    inbox: Inbox, body: bytes, headers: dict[str, str], status: int, code: int
) -> None:
    answer = inbox.client.post("/v1/metrics", content=body, headers=headers)
    assert answer.status_code == status
    assert inbox.shelf.kept == []
    if headers.get("content-type") == PROTOBUF["content-type"]:
        from google.rpc.status_pb2 import Status

        said = Status.FromString(answer.content)
        assert (said.code, bool(said.message)) == (code, True)
    else:
        assert answer.headers["content-type"] == "application/json"
        assert answer.json()["code"] == code


def test_other_methods_are_not_taken(inbox: Inbox) -> None:
    assert inbox.client.get("/v1/metrics").status_code == 405


def test_a_repeated_batch_is_answered_and_not_stored_again(inbox: Inbox) -> None:
    assert [inbox.own(seq).status_code for seq in (1, 1, 2, 1)] == [200] * 4
    assert inbox.shelf.values("jobs_total") == [0.0, 1.0, 2.0]
    assert inbox.receiver.tally().repeated == 2
    assert inbox.own(1, producer="web1-2").status_code == 200
    assert inbox.shelf.values("jobs_total")[-1] == 3.0


def test_a_full_queue_asks_to_come_again_and_forgets_nothing(inbox: Inbox) -> None:
    sent = request(total("jobs", 5.0, at=0.5)).SerializeToString()
    inbox.shelf.refuse = StoreBusy("200000 samples wait already")
    answer = inbox.post(sent)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    inbox.shelf.refuse = None
    assert inbox.post(sent).status_code == 200
    assert inbox.shelf.values("jobs_total") == [0.0, 5.0]


def test_a_batch_that_the_store_lost_may_come_again(inbox: Inbox) -> None:
    inbox.shelf.fail = StoreError("disk")
    assert inbox.own(1).status_code == 500
    assert not inbox.ledger.seen("web1-1", 1)
    inbox.shelf.fail = None
    assert inbox.own(1).status_code == 200
    assert inbox.ledger.seen("web1-1", 1)


def test_a_batch_that_still_waits_for_the_store_is_not_queued_twice(
    inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receiver, "STORED_WITHIN", 0.05)
    inbox.shelf.hold = []
    assert inbox.own(1).status_code == 503
    timer = threading.Timer(0.02, lambda: inbox.shelf.hold[0].set_result(None))  # type: ignore[index]  # a list here
    monkeypatch.setattr(receiver, "STORED_WITHIN", 5.0)
    timer.start()
    assert inbox.own(1).status_code == 200
    timer.join()
    assert inbox.shelf.values("jobs_total") == [0.0, 1.0]
    assert inbox.ledger.seen("web1-1", 1)


def test_an_unexpected_error_is_a_status_too(inbox: Inbox) -> None:
    inbox.shelf.refuse = RuntimeError("oops")
    made = metric("x")
    made.gauge.data_points.add(time_unix_nano=int(NOW * 1e9), as_double=1)
    answer = inbox.post(request(made).SerializeToString())
    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/x-protobuf")
    assert b"oops" not in answer.content


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, 10_000), byte=st.integers(0, 255), cut=st.integers(0, 3))
def test_a_damaged_body_is_taken_or_refused_and_never_an_error_of_ours(
    inbox: Inbox, place: int, byte: int, cut: int
) -> None:
    # Law: whatever one byte becomes, the answer is 200 or 400.
    sent = request(
        gauge("depth", 4.0, queue="mail"), total("jobs", 5.0, at=0.5), explicit("work", [1, 2], [1.0], at=0.5)
    )
    body = bytearray(sent.SerializeToString())
    body[place % len(body)] = byte
    assert inbox.post(bytes(body[: len(body) - cut])).status_code in (200, 400)


def test_requests_at_once_add_up(inbox: Inbox) -> None:
    bodies = [
        request(total("jobs", float(n), at=n / 100), instance=str(sender)).SerializeToString()
        for n in range(1, 6)
        for sender in range(4)
    ]
    with ThreadPoolExecutor(4) as pool:
        # Each sender in order, as real ones are; the four of them at once.
        answers = pool.map(lambda sender: [inbox.post(body).status_code for body in bodies[sender::4]], range(4))
        assert [status for each in answers for status in each] == [200] * 20
    values = inbox.shelf.values("jobs_total")
    assert values == sorted(values)
    assert values[-1] == 4 * 5.0


def test_requests_known_from_spans_count_once_when_the_first_metric_tells_of_them_too(inbox: Inbox) -> None:
    asked = {"http__request__method": "GET", "http__route": "/a", "http__response__status_code": "200"}

    def traced(number: int) -> None:
        span = {"name": "GET /a", "kind": 2, "seconds": 0.25, "attributes": asked}
        inbox.post(spans(*[span] * number).SerializeToString(), "/v1/traces")

    def metered(at: float, *counts: int) -> None:
        made = explicit("http.server.request.duration", list(counts), [0.1], at=at, temporality=2, added=1.0)
        attribute(made.histogram.data_points[0].attributes, **asked, url__scheme="http")
        inbox.post(request(made).SerializeToString())

    def known() -> int:
        kept = [each for each in inbox.shelf.kept if isinstance(each, HistogramSample)]
        return sum(each.histogram.count for each in kept if each.metric.name == "http_server_request_duration_seconds")

    traced(6)
    metered(0.5, 4, 6)
    assert known() == 10
    # From now on the metric alone counts.
    traced(5)
    metered(0.6, 4, 11)
    assert known() == 15


def test_a_release_is_told_with_its_newest_time() -> None:
    told: list[tuple[str, str, float]] = []
    made = Receiver(Shelf().submit, ManualClock(NOW + 10), deployed=lambda *seen: told.append(seen))
    client = TestClient(Starlette(routes=made.routes()))
    sent = request(gauge("depth", 4.0, at=1.0), gauge("depth", 4.0, at=5.0))
    attribute(sent.resource_metrics[0].resource.attributes, service__version="1.2")
    traced = spans({"name": "load", "seconds": 1.0})
    attribute(traced.resource_spans[0].resource.attributes, service__version="1.3")
    for path, body in (("metrics", sent), ("traces", traced), ("metrics", request(gauge("depth", 4.0)))):
        client.post(f"/v1/{path}", content=body.SerializeToString(), headers=PROTOBUF)
    assert told == [("shop", "1.2", NOW + 5), ("shop", "1.3", NOW)]


def test_what_the_store_failed_to_keep_counts_once_when_it_comes_again(inbox: Inbox) -> None:
    running = request(total("mails", 3.0, at=0.5)).SerializeToString()
    inbox.shelf.fail = StoreError("input/output error")
    assert (inbox.own(1, 5.0).status_code, inbox.post(running).status_code) == (500, 500)
    inbox.shelf.fail = None
    inbox.shelf.kept.clear()
    assert (inbox.own(1, 5.0).status_code, inbox.post(running).status_code) == (200, 200)
    assert inbox.shelf.values("jobs_total") == [0.0, 5.0]
    assert inbox.shelf.values("mails_total") == [0.0, 3.0]


def test_a_failure_takes_back_only_its_own_part(inbox: Inbox) -> None:
    inbox.own(1, 1.0)
    inbox.shelf.hold = []
    with ThreadPoolExecutor(2) as pool:
        answers = [pool.submit(inbox.own, 1, value, producer) for value, producer in ((10.0, "a"), (100.0, "b"))]
        eventually(lambda: len(inbox.shelf.hold or ()) == 2)
        failed, kept = inbox.shelf.hold
        kept.set_result(None)
        failed.set_exception(StoreError("input/output error"))
        assert sorted(each.result().status_code for each in answers) == [200, 500]
    inbox.shelf.hold = None
    inbox.own(2, 1000.0)
    assert inbox.shelf.values("jobs_total")[-1] in (1101.0, 1011.0)
