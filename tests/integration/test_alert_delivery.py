"""Delivery with real parts: a store on disk, a receiver, and a sender that is killed at every step."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import pytest

from perf.alerts.heartbeat import Heartbeat
from perf.alerts.outbox import Sender, opened, trial
from perf.alertsettings import AlertSettings, HeartbeatSettings, TargetSettings, WebhookSettings
from perf.clock import ManualClock, SystemClock
from perf.errors import StoreError
from perf.model import EVERY, AlertRule, Batch, Measurement, Metric, Sample, Severity, Step, Window
from perf.runtime import Runtime
from perf.settings import HostSettings, ProcessSettings, Settings, SourceSettings, StoreSettings
from perf.store.duckdb import DuckDBStore
from tests.integration.alert_child import row
from tests.integration.evaluating_child import T0
from tests.nursery import Nursery, nursery
from tests.receivers import Receiver, receiver
from tests.services import eventually, free_port

HERE = TargetSettings(plain_http=True, private=("127.0.0.0/8",), timeout=60.0)
COUNT = 4
QUEUE = Metric("queue_depth")


@pytest.fixture(scope="module")
def senders() -> Iterator[Nursery]:
    with nursery("tests.integration.alert_child") as found:
        yield found


@pytest.fixture(scope="module")
def evaluations() -> Iterator[Nursery]:
    with nursery("tests.integration.evaluating_child") as found:
        yield found


def run(senders: Nursery, path: Path, there: Receiver, step: str, passes: int) -> str:
    """What the child said before it ended."""
    done = senders.run(str(path), there.url, str(COUNT), step, str(passes))
    assert done.returncode in (0, -9), done.stderr
    return done.stdout


@pytest.mark.parametrize("step", ["before_send", "after_send", "in_record", "after_record"])
def test_kill_9_loses_nothing_doubles_nothing_under_one_id_and_keeps_the_order(
    senders: Nursery, tmp_path: Path, step: str
) -> None:
    path = tmp_path / "perf.duckdb"
    with receiver() as there:
        for passes in (0, 1, 3):
            assert run(senders, path, there, step, passes) == ""
        assert run(senders, path, there, "none", 0) == "done\n"
        ids = there.ids()
    wanted = {f"i{n}.{what}.webhook" for n in range(COUNT) for what in ("0", "resolved")}
    assert set(ids) == wanted
    again = len(ids) - len(wanted)
    assert again == (3 if step in ("after_send", "in_record") else 0)
    # Sent again, it is the same to the last byte but for the time of the signature: a receiver that knows ids takes one.
    assert len({(one.headers["webhook-id"], one.body) for one in there.requests}) == len(wanted)
    assert all(ids.index(f"i{n}.0.webhook") < ids.index(f"i{n}.resolved.webhook") for n in range(COUNT))


def evaluated(evaluations: Nursery, path: Path, last: int) -> str:
    """What an evaluation said that is killed before statement *last* of its transaction."""
    done = evaluations.run(str(path), str(last))
    assert done.returncode == (0 if last < 0 else -9), done.stderr
    return done.stdout


@pytest.mark.timeout(400)
def test_kill_9_in_an_evaluation_leaves_the_incident_with_its_notification_or_neither(
    evaluations: Nursery, tmp_path: Path
) -> None:
    whole = tmp_path / "whole.duckdb"
    count = int(evaluated(evaluations, whole, -1))
    assert count >= 3
    for last in range(count + 1):
        path = tmp_path / f"{last}.duckdb"
        assert evaluated(evaluations, path, last) == ""
        clock = ManualClock(T0 + 1.0)
        store = DuckDBStore(StoreSettings(path=str(path), free_space_floor=0), clock)
        there = (len(store.alerts.incidents()), len(store.alerts.due(T0 + 1.0)))
        assert there == ((1, 1) if last == count else (0, 0))
        store.close()
        evaluated(evaluations, path, -1)
        after, wanted = (DuckDBStore(StoreSettings(path=str(one), free_space_floor=0), clock) for one in (path, whole))
        assert after.alerts.due(T0 + 1.0) == wanted.alerts.due(T0 + 1.0)
        told = [[(one.id, one.state, one.notices) for one in each.alerts.incidents()] for each in (after, wanted)]
        assert told[0] == told[1]
        after.close()
        wanted.close()


def owner(path: Path, alerts: AlertSettings) -> Runtime:
    off = SourceSettings(host=HostSettings(enabled=False), process=ProcessSettings(enabled=False))
    return Runtime(Settings(store=StoreSettings(path=str(path)), sources=off, alerts=alerts))


def own(runtime: Runtime) -> dict[str, float | None]:
    """What is stored of perf's own metrics: name and label values -> newest value."""
    return {
        " ".join([info.metric.name, *(value for _, value in info.labels)]): info.last_value
        for info in runtime.store.series()
        if info.metric.name.startswith("perf_")
    }


def test_a_receiver_that_is_down_for_a_while_gets_everything(tmp_path: Path) -> None:
    port = free_port()
    hook = WebhookSettings(urls=(f"http://127.0.0.1:{port}",))
    runtime = owner(tmp_path / "perf.duckdb", AlertSettings(webhook=hook, targets=HERE))
    runtime.start()
    try:
        now = runtime.clock.now()
        rows = tuple(row(n, kind) for n in range(3) for kind in ("firing", "resolved"))
        fresh = tuple(msgspec.structs.replace(one, created=now, not_before=now) for one in rows)
        runtime.writer.call(lambda: runtime.store.alerts.commit(Step(notifications=fresh))).result(10.0)
        window = Window(now - 10.0, now + 600.0)
        eventually(lambda: runtime.store.alerts.deliveries(window).deliveries)
        with receiver(port) as there:
            eventually(lambda: len(set(there.ids())) == 6, seconds=60.0)
            ids = there.ids()
            # What came is noted a moment later.
            eventually(lambda: [one.waiting for one in runtime.alerts.delivery(window) if one.name == "webhook"] == [0])
        found = runtime.store.alerts.deliveries(window, 100).deliveries
        assert {one.outcome for one in found} == {"retry", "delivered"}
        assert "ConnectionRefusedError" in next(one.detail for one in found if one.outcome == "retry")
        assert len(ids) == 6
        assert all(ids.index(f"i{n}.0.webhook") < ids.index(f"i{n}.resolved.webhook") for n in range(3))
        state = {one.name: one for one in runtime.alerts.delivery(window)}["webhook"]
        tries = sum(one.outcome == "retry" for one in found)
        assert (state.delivered, state.retry, state.dead, state.waiting, state.failing) == (6, tries, 0, 0, "")
        eventually(lambda: own(runtime).get("perf_alert_deliveries_total webhook delivered") == 6.0, seconds=60.0)
        eventually(lambda: own(runtime)["perf_alert_outbox_notifications webhook"] == 0.0, seconds=60.0)
    finally:
        runtime.stop()


def breach(runtime: Runtime, **labels: str) -> float:
    """Hand in a value above the limit; when that was."""
    ts = runtime.clock.now()
    runtime.writer.submit([Sample(ts, QUEUE, tuple(sorted(labels.items())), 99.0)]).result(10.0)
    return ts


def begun(runtime: Runtime, seconds: float) -> None:
    """Wait until an evaluation began at least *seconds* ago, and the next one is far, and *runtime* looks for late samples: it rests
    longer when the machine was busy during its last look.
    """
    evaluator, clock = runtime.evaluator, SystemClock()
    assert evaluator is not None

    def ready() -> bool:
        return seconds <= clock.now() % EVERY < seconds + 3.0 and evaluator._next <= clock.monotonic()

    eventually(ready, seconds=5 * EVERY, every=0.02)


@pytest.mark.parametrize("duration", [0.0, EVERY])
def test_a_sample_that_breaches_reaches_the_receiver_without_waiting_for_the_next_evaluation(
    tmp_path: Path, duration: float
) -> None:
    with receiver() as there:
        alerts = AlertSettings(webhook=WebhookSettings(urls=(there.url,)), targets=HERE, channels=("webhook",))
        runtime = owner(tmp_path / "perf.duckdb", alerts)
        runtime.start()
        try:
            rule = AlertRule(
                id="r", name="deep", condition="name == 'queue_depth' and value > 5", severity=Severity.CRITICAL,
                for_seconds=duration,
            )  # fmt: skip
            runtime.alerts.rules.save(rule, author="test")
            # A new rule is first looked at by an evaluation of everything.
            slot = SystemClock().now() // EVERY
            eventually(lambda: SystemClock().now() // EVERY > slot, seconds=2 * EVERY)
            begun(runtime, 2.0)
            came = breach(runtime, queue="mail")
            if duration:
                eventually(lambda: SystemClock().now() // EVERY > came // EVERY, seconds=2 * EVERY)
                begun(runtime, 2.0)
                assert there.requests == []
                came = breach(runtime, queue="mail")
            (request,) = eventually(lambda: there.requests, seconds=30.0)
            arrived = SystemClock().now()
            assert request.json()["data"]["notifications"][0]["labels"] == {"queue": "mail", "rule": "deep"}
            assert arrived // EVERY == came // EVERY, f"it took {arrived - came:.1f} s"
        finally:
            runtime.stop()


def test_a_trial_takes_the_whole_way_and_leaves_its_steps(tmp_path: Path) -> None:
    with receiver() as there:
        settings = AlertSettings(webhook=WebhookSettings(urls=(there.url,)), targets=HERE)
        runtime = owner(tmp_path / "perf.duckdb", settings)
        runtime.start()
        try:
            now = runtime.clock.now()
            one = trial("webhook", now)
            runtime.writer.call(lambda: runtime.store.alerts.commit(Step(notifications=(one,)))).result(10.0)
            eventually(lambda: there.ids() == [one.id], seconds=30.0)
            (told,) = eventually(lambda: runtime.store.alerts.deliveries(Window(now - 1, now + 60)).deliveries)
            assert (told.outcome, told.attempt) == ("delivered", 1)
        finally:
            runtime.stop()


def test_a_receiver_that_hangs_holds_up_no_other_channel(tmp_path: Path) -> None:
    with receiver() as there:
        there.behave = lambda _: None
        alerts = AlertSettings(webhook=WebhookSettings(urls=(there.url,)), targets=HERE)
        runtime = owner(tmp_path / "perf.duckdb", alerts)
        clock, stop = SystemClock(), threading.Event()
        # Alone: the runtime's own sender would take the same from the outbox.
        writing = threading.Thread(target=runtime.writer.run, args=(stop,))
        writing.start()
        try:
            now = clock.now()
            runtime.store.alerts.commit(Step(notifications=(trial("webhook", now), trial("log", now))))
            sender = Sender(runtime.store.alerts, runtime.writer, opened(alerts, clock), clock, alerts)
            sender.turn()
            eventually(lambda: [s for s in sender.stats() if s.channel == "log" and s.delivered], every=0.01)
            assert [s.delivered for s in sender.stats() if s.channel == "webhook"] == [0]
            assert not sender.settled(0.0)
            there.over.set()
            assert sender.settled(60.0)
        finally:
            stop.set()
            runtime.writer.wake()
            writing.join()
            runtime.stop()


def test_the_heartbeat_is_sent_at_its_interval_and_only_when_asked() -> None:
    clock = ManualClock(1_800_000_000.0)
    with receiver() as there:
        beat = Heartbeat(AlertSettings(heartbeat=HeartbeatSettings(url=f"{there.url}/ping"), targets=HERE), clock)
        for _ in range(7):
            beat.beat()
            clock.move(10.0)
            eventually(lambda: not [one for one in threading.enumerate() if one.name == "perf-heartbeat"])
        assert beat.sent == 2
        assert [request.path for request in there.requests] == ["/ping", "/ping"]
        assert there.requests[0].json() == {"service": "perf", "status": "ok", "timestamp": 1_800_000_000.0}


def test_the_heartbeat_stops_while_samples_are_not_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = threading.Event()
    with receiver() as there:
        beats = HeartbeatSettings(url=f"{there.url}/ping", interval=0.1)
        store = StoreSettings(path=str(tmp_path / "perf.duckdb"))
        runtime = Runtime(Settings(store=store, alerts=AlertSettings(heartbeat=beats, targets=HERE)))
        append = runtime.store.append

        def appended(samples: Sequence[Measurement], batches: Sequence[Batch] = ()) -> None:
            if broken.is_set():
                raise StoreError("the disk is gone")
            append(samples, batches)

        monkeypatch.setattr(runtime.store, "append", appended)
        runtime.start()
        try:
            eventually(lambda: there.requests)
            broken.set()
            eventually(lambda: runtime.writer.stats().stuck)
            eventually(lambda: runtime.beats() and runtime._evaluation.beat().last > runtime.clock.monotonic() - 0.1)
            told = len(there.requests)
            turned = runtime._evaluation.beat().last
            eventually(lambda: runtime._evaluation.beat().last > turned + 1.5)
            assert len(there.requests) <= told + 1  # one may have been on its way
            broken.clear()
            eventually(lambda: len(there.requests) > told + 2)
        finally:
            runtime.stop()
