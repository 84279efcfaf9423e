from __future__ import annotations

import http.client
import os
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceResponse,
)

from perf.clock import ManualClock
from perf.model import Measurement, Sample
from perf.transport import sender as module
from perf.transport.client import Endpoint, headers
from perf.transport.sender import Sender
from perf.transport.spool import MAX_BYTES, Spool
from tests.services import eventually, forked, free_port
from tests.unit.transport.collector import JOBS, Collector


class Recording:
    """Stands for the recorder: a counter that the test raises."""

    def __init__(self) -> None:
        self.total = 0.0
        self.told = 0.0
        self.fail = False

    def drain(self, ts: float, *, last: bool = False) -> list[Measurement]:
        if self.fail:
            raise RuntimeError("drain")
        if self.told == self.total:
            return []
        self.told = self.total
        return [Sample(ts, JOBS, (), self.total)]


@pytest.fixture
def collector() -> Iterator[Collector]:
    made = Collector()
    yield made
    made.close()


@pytest.fixture
def recording() -> Recording:
    return Recording()


_made: list[Sender] = []


@pytest.fixture(autouse=True)
def _closed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    # However long a test is held up, a thread takes no turn of its own, and is given the time for the last one.
    monkeypatch.setattr(module, "INTERVAL", 3600.0)
    monkeypatch.setattr(module, "GRACE", 40.0)
    yield
    while _made:
        _made.pop().close()


def sender(recording: Recording, url: str, folder: Path, clock: ManualClock, max_bytes: int = MAX_BYTES) -> Sender:
    _made.append(
        Sender(recording, Endpoint(url), Spool(folder / "spool.db", clock, max_bytes=max_bytes), clock, service="shop")
    )
    return _made[-1]


def test_what_was_recorded_is_sent_with_a_number(
    collector: Collector, recording: Recording, tmp_path: Path, clock: ManualClock
) -> None:
    made = sender(recording, collector.url, tmp_path, clock)
    made.turn()
    for total in (3.0, 5.0):
        recording.total = total
        made.turn()
    assert collector.taken == [(made.producer, 1, [3.0]), (made.producer, 2, [2.0])]
    assert (made.stats().sent, made.stats().spooled) == (2, 0)
    assert not (tmp_path / "spool.db").exists()


def test_what_nobody_takes_waits_and_comes_later_in_order(
    recording: Recording, tmp_path: Path, clock: ManualClock
) -> None:
    port = free_port()
    made = sender(recording, f"http://127.0.0.1:{port}", tmp_path, clock)
    for total in (1.0, 3.0, 6.0):
        recording.total = total
        made.turn()
        clock.move(1.0)
    assert (made.stats().sent, made.stats().spooled) == (0, 3)
    assert "refused" in made.stats().waiting.lower()
    clock.move(60.0)
    collector = Collector(port)
    recording.total = 10.0
    made.turn()
    recording.total = 15.0
    made.turn()
    collector.close()
    assert [(seq, values) for _, seq, values in collector.taken] == [(n, [float(n)]) for n in (1, 2, 3, 4, 5)]
    assert made.stats().waiting == ""


@pytest.mark.parametrize(("status", "headers", "pause"), [(503, {}, 1.0), (429, {"retry-after": "7"}, 7.0)])
def test_a_busy_receiver_is_asked_again_when_it_said_so(
    collector: Collector,
    recording: Recording,
    tmp_path: Path,
    clock: ManualClock,
    status: int,
    headers: dict[str, str],
    pause: float,
) -> None:
    collector.status, collector.headers = status, headers
    made = sender(recording, collector.url, tmp_path, clock)
    recording.total = 1.0
    made.turn()
    collector.status = 200
    clock.move(pause - 0.5)
    made.turn()
    assert collector.values == []
    clock.move(0.6)
    made.turn()
    assert collector.values == [1.0]


def test_a_refusal_for_good_drops_the_batch_and_counts_why(
    collector: Collector, recording: Recording, tmp_path: Path, clock: ManualClock
) -> None:
    collector.status = 400
    made = sender(recording, collector.url, tmp_path, clock)
    recording.total = 1.0
    made.turn()
    collector.status = 200
    recording.total = 3.0
    made.turn()
    assert collector.values == [2.0]
    assert made.stats().dropped == {"refused_400": 1}


def test_rejected_points_of_a_partial_success_are_counted(
    collector: Collector, recording: Recording, tmp_path: Path, clock: ManualClock
) -> None:
    answer = ExportMetricsServiceResponse()
    answer.partial_success.rejected_data_points = 4
    collector.body = answer.SerializeToString()
    made = sender(recording, collector.url, tmp_path, clock)
    recording.total = 1.0
    made.turn()
    assert (made.stats().sent, made.stats().rejected) == (1, 4)


def test_the_oldest_are_dropped_at_the_bound_and_counted(
    recording: Recording, tmp_path: Path, clock: ManualClock
) -> None:
    made = sender(recording, f"http://127.0.0.1:{free_port()}", tmp_path, clock, max_bytes=600)
    for total in range(1, 11):
        recording.total = float(total)
        made.turn()
    stats = made.stats()
    assert stats.spooled == 10
    assert 0 < stats.dropped["spool_full"] < 10


def test_a_connection_that_the_other_side_closed_while_it_rested_is_no_failure(
    recording: Recording, tmp_path: Path, clock: ManualClock
) -> None:
    first = Collector()
    made = sender(recording, first.url, tmp_path, clock)
    first.headers = {"connection": "close"}
    for total in (1.0, 2.0):
        recording.total = total
        made.turn()
    first.close()
    assert (first.values, made.stats().spooled) == ([1.0, 1.0], 0)


def test_nothing_reaches_the_host_program(recording: Recording, tmp_path: Path, clock: ManualClock) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("x", encoding="utf-8")
    made = Sender(recording, Endpoint(f"http://127.0.0.1:{free_port()}"), Spool(blocked / "spool.db", clock), clock)
    recording.total = 1.0
    made.turn()
    assert made.stats().dropped == {"spool_failed": 1}
    recording.fail = True
    made.turn()
    assert made.stats().dropped == {"spool_failed": 1, "failed": 1}


def test_an_address_that_is_none_is_refused_at_once(recording: Recording, tmp_path: Path, clock: ManualClock) -> None:
    with pytest.raises(ValueError, match="not an http address"):
        sender(recording, "ftp://x", tmp_path, clock)


def test_a_full_address_is_taken_as_well(
    collector: Collector, recording: Recording, tmp_path: Path, clock: ManualClock
) -> None:
    made = sender(recording, f"{collector.url}/v1/metrics", tmp_path, clock)
    recording.total = 1.0
    made.turn()
    assert collector.values == [1.0]


def test_stopping_sends_what_is_left(
    collector: Collector, recording: Recording, tmp_path: Path, clock: ManualClock
) -> None:
    made = sender(recording, collector.url, tmp_path, clock)
    made.start()
    recording.total = 1.0
    made.stop()
    assert collector.values == [1.0]


def test_stopping_with_nobody_there_spools_what_is_left(
    recording: Recording, tmp_path: Path, clock: ManualClock
) -> None:
    made = sender(recording, f"http://127.0.0.1:{free_port()}", tmp_path, clock)
    made.start()
    recording.total = 1.0
    made.stop()
    with closing(Spool(tmp_path / "spool.db", clock)) as spool:
        assert spool.waiting(made.producer) == 1


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_sends_under_its_own_name(
    collector: Collector, recording: Recording, tmp_path: Path, clock: ManualClock
) -> None:
    made = sender(recording, collector.url, tmp_path, clock)
    recording.total = 5.0
    made.turn()

    def work() -> bool:
        recording.total, recording.told = 2.0, 0.0
        made.turn()
        return made.stats().sent == 1

    assert os.waitpid(forked(work), 0)[1] == 0
    recording.total = 6.0
    made.turn()
    eventually(lambda: len(collector.taken) == 3)
    assert [values for _, _, values in collector.taken] == [[5.0], [2.0], [1.0]]
    producers = [producer for producer, _, _ in collector.taken]
    assert producers[0] == producers[2] != producers[1]
    assert [seq for _, seq, _ in collector.taken] == [1, 1, 2]


def test_headers_are_read_as_opentelemetry_writes_them() -> None:
    assert headers("api-key=a%20b, X-Tenant=7,") == {"api-key": "a b", "x-tenant": "7"}
    assert headers("") == {}
    for wrong in ("plain", "a=b%0d%0aEvil: 1", "a b=c"):
        with pytest.raises(ValueError, match="name=value"):
            headers(wrong)


def test_what_became_of_batches_is_told_every_ten_seconds(
    collector: Collector, recording: Recording, tmp_path: Path, clock: ManualClock
) -> None:
    made = sender(recording, collector.url, tmp_path, clock)
    collector.status = 400
    recording.total = 1.0
    made.turn()
    collector.status = 200
    recording.total = 2.0
    made.turn()
    assert collector.sums == [(made.producer, "jobs_total", 1.0)]
    clock.move(10.0)
    made.turn()
    told = [value for _, name, value in collector.sums if name == "perf_send_batches_total"]
    assert told == [1.0, 1.0]


def test_another_goes_on_with_the_spool_as_soon_as_one_has_stopped(
    recording: Recording, tmp_path: Path, clock: ManualClock
) -> None:
    port = free_port()
    first = sender(recording, f"http://127.0.0.1:{port}", tmp_path, clock)
    recording.total = 1.0
    first.turn()
    first.close()
    collector = Collector(port)
    sender(Recording(), collector.url, tmp_path, clock).turn()
    collector.close()
    assert collector.taken == [(first.producer, 1, [1.0])]


def test_flushing_sends_at_once_and_goes_on(
    collector: Collector, recording: Recording, tmp_path: Path, clock: ManualClock
) -> None:
    made = sender(recording, collector.url, tmp_path, clock)
    made.start()
    recording.total = 1.0
    made.flush()
    assert collector.values == [1.0]
    recording.total = 3.0
    made.stop()
    assert collector.values == [1.0, 2.0]


def sending() -> set[threading.Thread]:
    return {one for one in threading.enumerate() if one.name == "perf-sender"}


def test_a_thread_that_outlives_its_grace_and_the_next_take_turns(tmp_path: Path, clock: ManualClock) -> None:
    class Stuck(Recording):
        inside = most = 0
        go_on = threading.Event()

        def drain(self, ts: float, *, last: bool = False) -> list[Measurement]:
            self.inside += 1
            self.most = max(self.most, self.inside)
            self.go_on.wait(30.0)
            self.inside -= 1
            return []

    stuck = Stuck()
    made = sender(stuck, f"http://127.0.0.1:{free_port()}", tmp_path, clock)
    before = sending()
    for _ in range(2):
        made.start()
        made.stop(0.1)
    assert len(sending() - before) == 2
    eventually(lambda: stuck.inside)
    stuck.go_on.set()
    eventually(lambda: not sending() - before)
    assert stuck.most == 1


class Forgetful(Endpoint):
    """Its own thread lets go of the connection whenever another one has looked at it."""

    kept: http.client.HTTPConnection | None = None

    @property
    def _connection(self) -> http.client.HTTPConnection | None:
        found, self.kept = self.kept, None
        return found

    @_connection.setter
    def _connection(self, connection: http.client.HTTPConnection | None) -> None:
        self.kept = connection


def test_a_wait_that_is_over_meanwhile_can_be_ended() -> None:
    endpoint = Forgetful("http://127.0.0.1:1")
    endpoint.kept = http.client.HTTPConnection("127.0.0.1", 1)
    endpoint.interrupt(0.5)
    assert endpoint.timeout == 0.5
