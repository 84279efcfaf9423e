"""What every store promises about keys, ended sessions and the audit log, asked of all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from perf.clock import ManualClock
from perf.model import Window
from perf.model.access import ApiKey, AuditEntry, Revocation, Scope
from perf.plugins import STORES, resolve
from perf.ports import MetricStore
from perf.settings import Retention, StoreSettings
from tests.emptystore import empty
from tests.owners import Owners

T0 = 1_700_006_400.0
EVER = Window(0.0, 4e9)
KEY = ApiKey(
    id="a1", name="ci é", digest="d" * 64, scopes=(Scope.READ, Scope.INGEST), author="ada", created=T0, expires=T0 + 9.5
)
ENTRY = AuditEntry(ts=T0 + 0.25, who="ada", via="password", address="::1", action="rule.save", subject="é", after="{}")
Opener = Callable[[], MetricStore]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(T0)


@pytest.fixture(params=sorted(STORES))
def opened(request: pytest.FixtureRequest, tmp_path: Path, clock: ManualClock, owners: Owners) -> Iterator[Opener]:
    stores: list[MetricStore] = []
    make = owners.store if request.param == "remote" else resolve("store", request.param, STORES)

    def open_() -> MetricStore:
        settings = StoreSettings(path=str(empty(tmp_path / "x.duckdb")), retention=Retention(audit=3600.0))
        stores.append(make(settings, clock))
        return stores[-1]

    yield open_
    for store in stores:
        store.close()


@pytest.fixture
def store(opened: Opener) -> MetricStore:
    return opened()


def entry(at: float, action: str = "rule.save", who: str = "ada") -> AuditEntry:
    return msgspec.structs.replace(ENTRY, ts=T0 + at, action=action, who=who)


def test_a_new_store_knows_nobody(store: MetricStore) -> None:
    assert store.access.api_keys() == []
    assert store.access.revocations() == []
    assert store.access.audit(EVER).entries == []


def test_a_key_is_kept_with_all_its_fields_and_replaced_by_its_id(store: MetricStore) -> None:
    store.access.put_key(KEY)
    assert store.access.api_keys() == [KEY]
    revoked = msgspec.structs.replace(KEY, revoked=T0 + 1.0, last_used=T0 + 0.5)
    older = msgspec.structs.replace(KEY, id="a0", created=T0 - 1.0)
    store.access.put_key(older)
    store.access.put_key(revoked)
    assert store.access.api_keys() == [older, revoked]


def test_a_revocation_is_kept_until_it_matters_no_more(store: MetricStore) -> None:
    first = Revocation(subject="s1", since=T0, until=T0 + 10.0)
    everybodys = Revocation(subject="name:ada", since=T0, until=T0 + 100.0)
    store.access.revoke(first, T0)
    store.access.revoke(everybodys, T0 + 5.0)
    assert sorted(store.access.revocations(), key=lambda one: one.until) == [first, everybodys]

    later = msgspec.structs.replace(everybodys, since=T0 + 20.0, until=T0 + 120.0)
    store.access.revoke(later, T0 + 20.0)
    assert store.access.revocations() == [later]


def test_the_audit_log_comes_newest_first_page_by_page(store: MetricStore) -> None:
    entries = [entry(at) for at in (1.0, 2.0, 2.0, 3.0)]
    numbered = [msgspec.structs.replace(one, subject=str(number)) for number, one in enumerate(entries)]
    store.access.note(numbered[:1])
    store.access.note(numbered[1:])

    found = store.access.audit(EVER, limit=3)
    assert [one.subject for one in found.entries] == ["3", "2", "1"]
    assert found.total == 4
    rest = store.access.audit(EVER, limit=3, offset=3)
    assert rest.entries == [numbered[0]]
    assert store.access.audit(EVER, limit=3, offset=9).total == 4


def test_the_audit_log_is_filtered_by_time_action_and_person(store: MetricStore) -> None:
    store.access.note([entry(0.0), entry(1.0, "rule.drop"), entry(2.0, "key.create", "otto"), entry(3.0, "rules")])
    audit = store.access.audit
    assert [one.ts for one in audit(Window(T0 + 1.0, T0 + 3.0)).entries] == [T0 + 2.0, T0 + 1.0]
    assert [one.action for one in audit(EVER, action="rule.").entries] == ["rule.drop", "rule.save"]
    assert [one.who for one in audit(EVER, who="otto").entries] == ["otto"]
    assert audit(EVER, who="ott").total == 0
    assert audit(EVER, action="%").total == 0


def test_old_entries_of_the_audit_log_are_forgotten(store: MetricStore, clock: ManualClock) -> None:
    store.access.note([entry(0.0), entry(7_000.0)])
    # An hour of patience with clocks that jump, then an hour of retention.
    for _ in range(8):
        clock.move(1_000.0)
        store.maintain(clock.now())
    assert [one.ts for one in store.access.audit(EVER).entries] == [T0 + 7_000.0]


@pytest.mark.parametrize("opened", ["duckdb"], indirect=True)
def test_a_store_on_disk_remembers_when_it_is_opened_again(opened: Opener) -> None:
    first = opened()
    revocation = Revocation(subject="s1", since=T0, until=T0 + 10.0)
    first.access.put_key(KEY)
    first.access.revoke(revocation, T0)
    first.access.note([ENTRY])
    first.close()

    again = opened()
    assert again.access.api_keys() == [KEY]
    assert again.access.revocations() == [revocation]
    assert again.access.audit(EVER).entries == [ENTRY]
