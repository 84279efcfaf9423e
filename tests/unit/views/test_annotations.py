"""Deploys are noted once, however many workers report them, and notes by hand are durable when they are answered."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from perf.clock import ManualClock, SystemClock
from perf.errors import StoreBusy, StoreClosed, StoreFull
from perf.model import Annotation, Window
from perf.settings import StoreSettings
from perf.store.memory import MemoryStore
from perf.store.writer import Writer
from perf.views import annotations
from perf.views.annotations import Releases
from tests.services import eventually

T0 = 1_700_006_400.0


class Notes(MemoryStore):
    """A store whose annotations fail as often as told."""

    failures = 0

    def annotate(self, annotation: Annotation) -> None:
        if self.failures:
            self.failures -= 1
            raise StoreFull("full")
        super().annotate(annotation)


@pytest.fixture
def store() -> Notes:
    return Notes(StoreSettings(), ManualClock(T0))


@pytest.fixture
def writer(store: Notes) -> Iterator[Writer]:
    writer, stop = Writer(store, SystemClock()), threading.Event()
    thread = threading.Thread(target=writer.run, args=(stop,), daemon=True)
    thread.start()
    yield writer
    stop.set()
    writer.wake()
    thread.join(60)


@pytest.fixture
def releases(store: Notes, writer: Writer) -> Releases:
    return Releases(store, writer)


def noted(store: Notes, writer: Writer) -> list[tuple[float, str, str]]:
    writer.call(lambda: None).result(60)
    return [(each.ts - T0, each.service, each.title) for each in store.annotations(Window(T0 - 1e6, T0 + 1e6))]


def test_a_deploy_is_noted_once(releases: Releases, store: Notes, writer: Writer) -> None:
    for ts, release in ((0, "v1"), (1, "v1"), (10, "v2"), (11, "v2"), (12, "")):
        releases.seen("shop", release, T0 + ts)
    releases.seen("jobs", "v1", T0 + 13)
    assert noted(store, writer) == [(0, "shop", "v1"), (10, "shop", "v2"), (13, "jobs", "v1")]


def test_workers_that_are_replaced_one_by_one_are_one_deploy(releases: Releases, store: Notes, writer: Writer) -> None:
    for ts in range(0, 600, 10):
        releases.seen("shop", "v1", T0 + ts)
        if ts >= 100:
            releases.seen("shop", "v2", T0 + ts)
    assert noted(store, writer) == [(0, "shop", "v1"), (100, "shop", "v2")]


def test_going_back_is_a_deploy(releases: Releases, store: Notes, writer: Writer) -> None:
    for ts, release in ((0, "v1"), (10, "v2"), (1000, "v2"), (1010, "v1"), (1020, "v1")):
        releases.seen("shop", release, T0 + ts)
    assert noted(store, writer) == [(0, "shop", "v1"), (10, "shop", "v2"), (1010, "shop", "v1")]


def test_going_back_while_workers_are_replaced_is_noted_when_the_new_release_is_gone(
    releases: Releases, store: Notes, writer: Writer
) -> None:
    releases.seen("shop", "v1", T0)
    releases.seen("shop", "v2", T0 + 10)
    for ts in range(20, 600, 10):
        releases.seen("shop", "v1", T0 + ts)
    assert noted(store, writer) == [(0, "shop", "v1"), (10, "shop", "v2"), (320, "shop", "v1")]


def test_what_arrives_late_is_no_deploy(releases: Releases, store: Notes, writer: Writer) -> None:
    releases.seen("shop", "v2", T0)
    releases.seen("shop", "v1", T0 - 3_600)  # a spool that is drained
    assert noted(store, writer) == [(0, "shop", "v2")]


def test_a_restart_notes_nothing_again(releases: Releases, store: Notes, writer: Writer) -> None:
    releases.seen("shop", "v1", T0)
    assert noted(store, writer) == [(0, "shop", "v1")]
    Releases(store, writer).seen("shop", "v1", T0 + 9)
    assert noted(store, writer) == [(0, "shop", "v1")]


def test_an_announced_deploy_is_not_noted_again(releases: Releases, store: Notes, writer: Writer) -> None:
    releases.seen("shop", "v1", T0)
    releases.announce(Annotation(ts=T0 + 5, kind="deploy", title="v2", service="shop"))
    releases.announce(Annotation(ts=T0 + 6, kind="note", title="v3", service="shop"))
    for ts, release in ((7, "v1"), (8, "v2"), (9, "v1")):
        releases.seen("shop", release, T0 + ts)
    assert noted(store, writer) == [(0, "shop", "v1"), (5, "shop", "v2"), (6, "shop", "v3")]


def test_a_deploy_that_could_not_be_kept_is_tried_again(releases: Releases, store: Notes, writer: Writer) -> None:
    store.failures = 1
    releases.seen("shop", "v1", T0)
    assert noted(store, writer) == []

    def again() -> bool:
        releases.seen("shop", "v1", T0 + 10)
        return noted(store, writer) == [(10, "shop", "v1")]

    eventually(again)


def test_an_announcement_fails_when_it_is_not_kept(releases: Releases, store: Notes) -> None:
    store.failures = 1
    with pytest.raises(StoreFull):
        releases.announce(Annotation(ts=T0, kind="note", title="x"))


def test_an_announcement_that_nobody_writes_is_given_up(store: Notes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(annotations, "PATIENCE", 0.01)
    idle = Writer(store, SystemClock())
    with pytest.raises(StoreBusy, match="writer is busy"):
        Releases(store, idle).announce(Annotation(ts=T0, kind="note", title="x"))
    stop = threading.Event()
    stop.set()
    idle.run(stop)
    assert store.annotations(Window(T0 - 1, T0 + 1)) == []
    Releases(store, idle).seen("shop", "v1", T0)  # too late, and no reason to fail
    with pytest.raises(StoreClosed):
        Releases(store, idle).announce(Annotation(ts=T0, kind="note", title="x"))


def test_many_threads_note_one_deploy(releases: Releases, store: Notes, writer: Writer) -> None:
    threads = [threading.Thread(target=releases.seen, args=("shop", "v1", T0)) for _ in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert noted(store, writer) == [(0, "shop", "v1")]


def test_a_flood_of_releases_is_not_remembered_for_ever(releases: Releases) -> None:
    for number in range(3_000):
        releases.seen("shop", f"v{number}", T0 + number)
    assert len(releases._running) <= 1_001
