"""While nothing waits, the outbox costs no statement; whatever is queued is found at once."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from perf.clock import ManualClock
from perf.model import Delivery, Notification, Severity, Step
from perf.settings import StoreSettings
from perf.store.duckdb import schema
from perf.store.duckdb.alerts import DuckDBAlerts
from perf.store.duckdb.connection import READ_SECONDS, Cursor, Database

T0 = 1_700_006_400.0


class Counted(Database):
    """A database that counts the questions; *meanwhile* happens when one has been answered."""

    questions = 0
    meanwhile: list[Step]
    alerts: DuckDBAlerts

    @contextlib.contextmanager
    def reading(self, seconds: float = READ_SECONDS) -> Iterator[Cursor]:
        self.questions += 1
        with super().reading(seconds) as cursor:
            yield cursor
        if self.meanwhile:
            self.alerts.commit(self.meanwhile.pop())


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Counted]:
    opened = Counted(tmp_path / "x.duckdb", StoreSettings(path=str(tmp_path / "x.duckdb")))
    opened.meanwhile = []
    schema.migrate(opened)
    opened.alerts = DuckDBAlerts(lambda: opened, lambda: opened, ManualClock(T0))
    yield opened
    opened.close()


def queued(id_: str, not_before: float | None = None) -> Step:
    notification = Notification(
        id=id_,
        incident_id=id_,
        group="g",
        kind="firing",
        created=T0,
        not_before=not_before,
        title="t",
        text="t",
        severity=Severity.LOW,
        labels=(),
        value=1.0,
        rule_id="r",
        runbook="",
        channel="webhook",
    )
    return Step(notifications=(notification,))


def due(database: Counted, now: float) -> list[str]:
    return [one.notification.id for one in database.alerts.due(now)]


def test_an_empty_outbox_is_asked_once(database: Counted) -> None:
    assert [due(database, T0 + second) for second in range(5)] == [[]] * 5
    assert database.alerts.waiting(T0) == []
    assert database.questions == 1


def test_what_is_queued_is_due_at_once(database: Counted) -> None:
    assert due(database, T0) == []
    database.alerts.commit(queued("n1"))
    assert due(database, T0) == ["n1"]
    assert [one.count for one in database.alerts.waiting(T0)] == [1]


def test_what_is_for_later_is_asked_for_when_its_time_has_come(database: Counted) -> None:
    database.alerts.commit(queued("n1", T0 + 60.0))
    assert due(database, T0) == []
    before = database.questions
    assert [due(database, T0 + second) for second in range(1, 60)] == [[]] * 59
    assert database.questions == before
    assert due(database, T0 + 60.0) == ["n1"]
    assert [one.count for one in database.alerts.waiting(T0)] == [1]


def test_what_is_done_leaves_an_outbox_that_costs_nothing(database: Counted) -> None:
    database.alerts.commit(queued("n1"))
    assert due(database, T0) == ["n1"]
    again = Delivery(notification_id="n1", channel="webhook", attempt=1, ts=T0, outcome="retry", detail="", seconds=0.1)
    database.alerts.record([again], T0 + 5.0)
    assert (due(database, T0 + 4.0), due(database, T0 + 5.0)) == ([], ["n1"])
    done = Delivery(
        notification_id="n1", channel="webhook", attempt=2, ts=T0, outcome="delivered", detail="", seconds=0.1
    )
    database.alerts.record([done])
    assert due(database, T0 + 9.0) == []
    before = database.questions
    assert due(database, T0 + 10.0) == []
    assert database.alerts.waiting(T0 + 10.0) == []
    assert database.questions == before


def test_what_comes_while_the_outbox_is_asked_is_not_overlooked(database: Counted) -> None:
    database.meanwhile.append(queued("n1"))
    assert due(database, T0) == []
    assert due(database, T0) == ["n1"]
