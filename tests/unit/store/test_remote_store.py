"""A store elsewhere: what its process is told while the owner is away, too old, or something else; and that nothing counts twice."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from perf.clock import ManualClock, SystemClock
from perf.errors import QueryError, RuleError, StoreAway, StoreBusy, StoreClosed, StoreError, StoreFull
from perf.model import Change, Metric, RangeQuery, RowsQuery, Sample, Selector, Window
from perf.ports import Distant
from perf.settings import StoreSettings
from perf.settings.remote import RemoteSettings
from perf.store.remote import RemoteStore
from perf.store.remote.fresh import Fresh
from perf.wire.measurements import Appended
from tests.owners import Owner, Owners
from tests.services import free_port
from tests.stage import Act, Stage, stage

SPOKEN = {"x-perf-store": "1"}
SAMPLE = Sample(1.0, Metric("m"), (), 2.0)
QUERY = RangeQuery(selector=Selector("m"), window=Window(0.0, 10.0), step=1.0)


@pytest.fixture
def played() -> Iterator[Stage]:
    with stage() as found:
        found.acts = [Act(headers=SPOKEN)]
        yield found


@pytest.fixture
def store(played: Stage, clock: ManualClock) -> Iterator[RemoteStore]:
    found = RemoteStore(StoreSettings(url=played.url, token="secret", remote=RemoteSettings(retries=0)), clock)
    yield found
    found.close()


def problem(kind: str, detail: str = "so it is", **more: object) -> bytes:
    return msgspec.json.encode({"detail": detail, "kind": kind, **more})


class Slow(ManualClock):
    """A clock that keeps the thread *slow* waiting for *go_on* when it asks since when an owner is away."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.go_on = threading.Event(), threading.Event()
        self.slow: threading.Thread | None = None

    def now(self) -> float:
        if threading.current_thread() is self.slow:
            self.asked.set()
            self.go_on.wait(90)
        return super().now()


def test_a_child_asks_although_another_thread_was_asking_when_it_was_forked() -> None:
    clock = Slow()
    url = f"http://127.0.0.1:{free_port()}"
    store = RemoteStore(StoreSettings(url=url, remote=RemoteSettings(retries=0)), clock)
    clock.slow = threading.Thread(target=store.away)
    clock.slow.start()
    assert clock.asked.wait(60)
    child = os.fork()
    if not child:
        signal.alarm(60)  # What waits for a thread that is not there would wait for ever.
        code = 1
        try:
            code = 0 if "no answer from" in store.away() else 2
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    clock.go_on.set()
    clock.slow.join()
    store.close()
    assert os.waitstatus_to_exitcode(status) == 0


def test_it_is_known_as_distant(store: RemoteStore) -> None:
    assert isinstance(store, Distant)


@pytest.mark.parametrize(
    ("status", "kind", "error"),
    [
        (507, "StoreFull", StoreFull),
        (503, "StoreBusy", StoreBusy),
        (503, "StoreClosed", StoreAway),
        (503, "", StoreAway),
        (500, "StoreError", StoreError),
        (409, "RuleError", RuleError),
        (400, "QueryError", QueryError),
        (418, "", StoreError),
    ],
)
def test_errors_of_the_owners_store_are_errors_here(
    played: Stage, store: RemoteStore, status: int, kind: str, error: type[Exception]
) -> None:
    played.acts = [Act(status, problem(kind, query="m{", position=2), SPOKEN)]
    with pytest.raises(error, match="so it is") as caught:
        store.read(QUERY)
    assert type(caught.value) is error
    if isinstance(caught.value, QueryError):
        assert (caught.value.text, caught.value.position) == ("m{", 2)


@pytest.mark.parametrize("status", [401, 403])
def test_a_wrong_token_names_the_setting(played: Stage, store: RemoteStore, status: int) -> None:
    played.acts = [Act(status, problem("", "the token is not this owner's"))]
    with pytest.raises(StoreError, match=r"refuses this process: the token is not .* PERF_STORE__TOKEN_FILE") as caught:
        store.usage()
    assert played.url in str(caught.value)
    assert "secret" not in str(caught.value)
    assert "PERF_STORE__TOKEN" in store.away()


@pytest.mark.parametrize(
    ("act", "said"),
    [
        (Act(404, b"<html>"), "older than this perf, which speaks version 1 to it, or it is something else"),
        (Act(200, b"<html>"), "older than this perf"),
        (Act(200, b"{}", {"x-perf-store": "2"}), "speaks version '2', this process version 1: update this process"),
        (Act(200, b"{}", {"x-perf-store": "0"}), "speaks version '0', this process version 1: update the owner"),
        (Act(200, b"<html>", SPOKEN), "does not speak like an owner"),
        (Act(200, b"x", {**SPOKEN, "content-encoding": "zstd"}), "does not speak like an owner: not zstd"),
    ],
    ids=["404", "a page", "newer", "older", "no JSON", "no zstd"],
)
def test_who_does_not_understand_us_is_told_apart(played: Stage, store: RemoteStore, act: Act, said: str) -> None:
    played.acts = [act]
    with pytest.raises(StoreError, match=said) as caught:
        store.changes()
    assert played.url in str(caught.value)
    assert said in store.away()


def test_an_answer_cut_in_the_middle_is_an_absence(played: Stage, store: RemoteStore) -> None:
    played.acts = [Act(200, b"[", SPOKEN, length=100)]
    with pytest.raises(StoreAway, match="broke off: 99 bytes are missing"):
        store.changes()


def test_an_address_that_is_none_is_told_at_once(clock: ManualClock) -> None:
    with pytest.raises(StoreError, match="store.url: not an HTTP address: elsewhere"):
        RemoteStore(StoreSettings(url="elsewhere"), clock)


def test_many_questions_while_the_owner_is_away_wait_for_none(clock: ManualClock) -> None:
    port = free_port()
    store = RemoteStore(StoreSettings(url=f"http://127.0.0.1:{port}"), clock)
    for _ in range(100):  # the clock stands still: only the first of them tries
        with pytest.raises(StoreAway, match=f"the owner of the store is away: no answer from 127.0.0.1:{port}"):
            store.rows(RowsQuery(window=Window(0.0, 1.0)))
    with stage(port=port) as played:
        played.acts = [Act(body=msgspec.json.encode({"perf": "1", "backend": "duckdb"}), headers=SPOKEN)]
        assert "refused" in store.away()
        clock.move(5.0)
        assert store.away() == ""
        store.close()


def appends(played: Stage) -> list[tuple[int, int]]:
    """Number and size of every batch that came."""
    found = [msgspec.msgpack.decode(one.body, type=Appended) for one in played.asked if one.path.endswith("/append")]
    assert len({one.producer for one in found}) == 1
    return [(one.seq, len(one.rows)) for one in found]


def test_a_batch_in_doubt_keeps_its_number_and_the_next_gets_another(
    played: Stage, store: RemoteStore, clock: ManualClock
) -> None:
    batch, other = [SAMPLE], [SAMPLE, SAMPLE]
    played.acts = [
        Act(204, headers=SPOKEN),
        Act(drop=True),
        Act(507, problem("StoreFull"), SPOKEN),
        Act(204, headers=SPOKEN),
    ]
    store.append(batch)
    with pytest.raises(StoreAway):
        store.append(other)
    clock.move(5.0)
    with pytest.raises(StoreFull):
        store.append(other)
    store.append(other)
    store.append(batch)
    assert appends(played) == [(1, 1), (2, 2), (2, 2), (2, 2), (3, 1)]


def test_numbers_of_other_batches_are_not_taken_for_one_in_doubt(
    played: Stage, store: RemoteStore, clock: ManualClock
) -> None:
    played.acts = [Act(drop=True), Act(204, headers=SPOKEN)]
    with pytest.raises(StoreAway):
        store.append((), [("a", 1)])
    clock.move(5.0)
    store.append((), [("b", 1)])
    assert appends(played) == [(1, 0), (2, 0)]


def test_a_batch_that_is_refused_for_good_has_had_its_number(played: Stage, store: RemoteStore) -> None:
    batch = [SAMPLE]
    played.acts = [Act(500, problem("StoreError"), SPOKEN), Act(204, headers=SPOKEN)]
    with pytest.raises(StoreError):
        store.append(batch)
    store.append(batch)
    assert appends(played) == [(1, 1), (2, 1)]


def test_a_change_is_sent_once_under_a_key_of_its_own(played: Stage, store: RemoteStore, clock: ManualClock) -> None:
    change = Change(ts=1.0, path="thresholds.x", value="1")
    played.acts = [Act(drop=True), Act(204, headers=SPOKEN)]
    with pytest.raises(StoreAway):
        store.override(change)
    clock.move(5.0)
    store.override(change)
    keys = [one.headers["idempotency-key"] for one in played.asked]
    assert len(set(keys)) == len(keys) == 2


def test_between_machines_bodies_are_compressed(tmp_path: Path) -> None:
    clock = SystemClock()
    owner = Owner(StoreSettings(path=str(tmp_path / "x.duckdb")), clock, host="127.0.0.2")
    store = Owners().at(owner.url, clock)
    try:
        now = clock.now()
        store.append([Sample(now - n, Metric("m"), (("n", str(n)),), float(n)) for n in range(200)])
        assert len(store.series()) == 200
        (answer,) = store.reads([RangeQuery(selector=Selector("m"), window=Window(now - 300, now + 1), step=1.0)])
        assert sorted(series.values.tolist() for series in answer) == [[float(n)] for n in range(200)]
    finally:
        store.close()
        owner.close()


def test_a_closed_store_asks_nobody(played: Stage, store: RemoteStore) -> None:
    store.close()
    with pytest.raises(StoreClosed, match="the store is closed"):
        store.alerts.rules()
    assert store.away() == "the store is closed"
    assert played.asked == []


def test_answers_are_held_for_a_second_and_until_a_change(
    played: Stage, store: RemoteStore, clock: ManualClock
) -> None:
    played.acts = [Act(body=b'{"a":"1"}', headers=SPOKEN), Act(204, headers=SPOKEN), Act(body=b"{}", headers=SPOKEN)]
    assert [store.overrides(), store.overrides()] == [{"a": "1"}] * 2
    store.override(Change(ts=1.0, path="a", value=None))
    assert [store.overrides(), store.overrides()] == [{}] * 2
    assert len(played.asked) == 3
    clock.move(1.0)
    store.overrides()
    assert len(played.asked) == 4


def test_who_asks_meanwhile_shares_the_answer(clock: ManualClock) -> None:
    fresh, begun, go = Fresh(clock), threading.Event(), threading.Event()
    asked: list[int] = []

    def ask() -> int:
        asked.append(1)
        begun.set()
        go.wait(60)
        return len(asked)

    found: list[int] = []
    threads = [threading.Thread(target=lambda: found.append(fresh.of("x", ask))) for _ in range(5)]
    for thread in threads:
        thread.start()
    assert begun.wait(60)
    go.set()
    for thread in threads:
        thread.join(60)
    assert (found, len(asked)) == ([1] * 5, 1)


def test_an_answer_from_before_a_change_is_not_held(clock: ManualClock) -> None:
    fresh = Fresh(clock)

    def ask() -> str:
        fresh.forget()  # the change comes while the answer is on its way
        return "old"

    assert fresh.of("x", ask) == "old"
    assert fresh.of("x", lambda: "new") == "new"
