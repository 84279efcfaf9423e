"""Keys, ended sessions, rules and silences are held in memory: what is changed while they are read for the first time stays changed."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from perf.clock import ManualClock
from perf.model import AlertRule, Silence, Step
from perf.model.access import ApiKey, Revocation, Scope
from perf.settings import StoreSettings
from perf.store.duckdb import schema
from perf.store.duckdb.access import DuckDBAccess
from perf.store.duckdb.alerts import DuckDBAlerts
from perf.store.duckdb.connection import READ_SECONDS, Cursor, Database

T0 = 1_700_006_400.0
KEY = ApiKey(id="k", name="ci", digest="d", scopes=(Scope.READ,), author="ada", created=T0)
REVOKED = msgspec.structs.replace(KEY, revoked=T0 + 1.0)
ENDED = Revocation(subject="s", since=T0, until=T0 + 60.0)
RULE = AlertRule(id="r", name="CPU", condition="value > 80", metric="cpu_usage_percent")
OFF = msgspec.structs.replace(RULE, enabled=False)
QUIET = Silence(id="q", matchers=(), start=T0, end=None, author="ada", comment="")


class Interrupted(Database):
    """A database in which *meanwhile* happens, once, when a question has been answered and before anybody has the answer."""

    meanwhile: Callable[[], object] | None = None

    @contextlib.contextmanager
    def reading(self, seconds: float = READ_SECONDS) -> Iterator[Cursor]:
        with super().reading(seconds) as cursor:
            yield cursor
        act, self.meanwhile = self.meanwhile, None
        if act is not None:
            act()


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Interrupted]:
    opened = Interrupted(tmp_path / "x.duckdb", StoreSettings(path=str(tmp_path / "x.duckdb")))
    schema.migrate(opened)
    yield opened
    opened.close()


def access(database: Interrupted) -> DuckDBAccess:
    return DuckDBAccess(lambda: database, lambda: database)


def alerts(database: Interrupted) -> DuckDBAlerts:
    return DuckDBAlerts(lambda: database, lambda: database, ManualClock(T0))


def test_a_key_that_is_revoked_while_keys_are_read_stays_revoked(database: Interrupted) -> None:
    access(database).put_key(KEY)
    begun = access(database)
    database.meanwhile = lambda: begun.put_key(REVOKED)
    begun.api_keys()
    assert begun.api_keys() == [REVOKED] == access(database).api_keys()


def test_a_session_that_is_ended_while_they_are_read_stays_ended(database: Interrupted) -> None:
    begun = access(database)
    database.meanwhile = lambda: begun.revoke(ENDED, T0)
    begun.revocations()
    assert begun.revocations() == [ENDED] == access(database).revocations()


def test_a_rule_that_is_changed_while_rules_are_read_stays_changed(database: Interrupted) -> None:
    alerts(database).put_rule(RULE, "ada")
    begun = alerts(database)
    database.meanwhile = lambda: begun.put_rule(OFF, "ada")
    begun.rules()
    assert begun.rules() == [OFF] == alerts(database).rules()


@pytest.mark.parametrize("end", ["dropped", "over"])
def test_a_silence_that_ends_while_they_are_read_stays_ended(database: Interrupted, end: str) -> None:
    alerts(database).put_silence(QUIET)
    begun = alerts(database)
    database.meanwhile = lambda: (
        begun.drop_silence(QUIET.id) if end == "dropped" else begun.commit(Step(silences=(QUIET.id,)))
    )
    begun.silences()
    assert begun.silences() == [] == alerts(database).silences()
