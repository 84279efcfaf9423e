"""What is done by the API stands in the audit log under the names that the pages give it, with what it was done to."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from perf.clock import ManualClock
from perf.model import Window
from perf.runtime import Runtime
from tests.emptystore import empty
from tests.services import eventually
from tests.unit.api.conftest import NOW, Api, opened, quiet


@pytest.fixture
def api(tmp_path: Path, clock: ManualClock) -> Iterator[Api]:
    """An empty store whose writer runs."""
    runtime = Runtime(quiet(empty(tmp_path / "perf.duckdb")), clock)
    runtime.start()
    level = logging.getLogger().level
    yield from opened(runtime)
    logging.getLogger().setLevel(level)


@pytest.mark.parametrize(
    ("method", "path", "body", "entry"),
    [
        ("POST", "profiles", {"seconds": 0.1, "rate": 50}, ("profile.start", "0.1 s at 50 Hz", "", "")),
        (
            "POST",
            "cache/invalidate",
            {"key": "a", "tags": ["b", "c"], "pattern": "d*"},
            ("cache.invalidate", "key a tag b tag c pattern d*", "", ""),
        ),
        ("POST", "alerts/test", {"channel": "log"}, ("channel.test", "log", "", "")),
        ("POST", "probes/run", None, ("checks.run", "", "", "")),
        ("POST", "probes/disk/run", None, ("checks.run", "disk", "", "")),
        ("PUT", "log-level", {"level": "ERROR"}, ("log-level", "", "WARNING", "ERROR")),
    ],
    ids=["profile", "cache", "channel", "checks", "check", "log level"],
)
def test_it_is_noted_once_and_by_name(
    api: Api, method: str, path: str, body: object, entry: tuple[str, str, str, str]
) -> None:
    logging.getLogger().setLevel(logging.WARNING)
    answer = api.client.request(method, f"/api/v1/{path}", json=body)
    assert answer.status_code < 300, answer.text
    eventually(lambda: noted(api))
    assert noted(api) == [("local", *entry)]


def noted(api: Api) -> list[tuple[str, str, str, str, str]]:
    found = api.runtime.access.audit.entries(Window(0.0, NOW + 60.0), 10).entries
    return [(one.who, one.action, one.subject, one.before, one.after) for one in found]
