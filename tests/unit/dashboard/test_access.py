"""What somebody may not do on the dashboard is refused when it is done, not only drawn disabled."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import argon2
import msgspec
import pytest

from dashboard import access, data
from perf import actor, default
from perf.clock import ManualClock
from perf.model import Threshold, Window
from perf.model.access import Scope
from perf.runtime import Runtime
from perf.settings import AccessSettings, User
from tests.unit.api.conftest import quiet

LIMIT = Threshold(50.0)
_HASH = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash("one")


@pytest.fixture(params=["signed in", "local"])
def runtime(request: pytest.FixtureRequest, tmp_path: Path, clock: ManualClock) -> Iterator[Runtime]:
    settings = quiet(tmp_path / "perf.duckdb", "memory")
    if request.param == "signed in":
        users = {"ada": User(hash=_HASH)}
        settings = msgspec.structs.replace(settings, access=AccessSettings(users=users, secret="s" * 32))
    made = Runtime(settings, clock)
    made.start()
    default.install(made)
    yield made
    default.install(None)
    made.stop()


@pytest.mark.parametrize("runtime", ["signed in"], indirect=True)
def test_nobody_changes_anything_where_people_sign_in(runtime: Runtime) -> None:
    assert not access.may(Scope.READ)
    assert access.reason(Scope.OPERATE) == "Needs an operator: you are signed in as nobody"
    with pytest.raises(access.NotAllowedError, match="Needs an operator"):
        data.set_limit("cpu_usage_percent", LIMIT)
    with pytest.raises(access.NotAllowedError, match="Needs an operator"):
        data.forget("key", "x", "")
    assert runtime.store.changes() == []


@pytest.mark.parametrize("runtime", ["local"], indirect=True)
def test_whoever_is_on_this_machine_does_everything_and_it_is_noted(runtime: Runtime) -> None:
    assert (access.person(), access.signs_in(), access.reason(Scope.ADMIN)) == ("local", False, None)
    data.set_limit("cpu_usage_percent", LIMIT)
    data.forget("key", "x", "")
    runtime.writer.call(lambda: None).result(timeout=30.0)
    found = runtime.access.audit.entries(Window(0.0, 4e9), 10).entries
    assert [(one.who, one.action, one.subject) for one in found] == [
        ("local", "cache.invalidate", "key x"),
        ("local", "threshold.change", "cpu_usage_percent"),
    ]
    assert actor.current() is None
