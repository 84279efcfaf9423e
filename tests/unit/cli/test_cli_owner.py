"""Who is asked: the owner that answers, or the file."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest

from perf import ownerfile
from perf.cli import owner
from perf.cli.address import loopback_url
from perf.clock import ManualClock
from perf.errors import OwnerError, StoreError
from perf.ownerfile import Owner
from perf.settings import ServerSettings, Settings, StoreSettings

NOBODY = 2**22 + 1
"""Above the largest process id that Linux gives out."""


def settings(folder: Path, **store: object) -> Settings:
    return Settings(store=msgspec.convert({"path": str(folder / "perf.duckdb"), **store}, StoreSettings))


def note(found: Settings, pid: int) -> Owner:
    left = Owner(pid=pid, url="http://127.0.0.1:1", token="t", started=0.0)
    ownerfile.write(found.store.path, left)
    return left


def test_a_note_of_a_living_process_counts(tmp_path: Path) -> None:
    found = settings(tmp_path)
    left = note(found, os.getpid())
    assert owner.noted(found) == left
    assert owner.linked(found).url == "http://127.0.0.1:1"


@pytest.mark.parametrize("pid", [NOBODY, 0, -1])
def test_a_note_of_a_process_that_ended_is_ignored(tmp_path: Path, pid: int) -> None:
    found = settings(tmp_path)
    note(found, pid)
    assert owner.noted(found) is None
    assert owner.linked(found).url == "http://127.0.0.1:8503"


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:80"),
        ("0.0.0.0", "http://127.0.0.1:80"),
        ("", "http://127.0.0.1:80"),
        ("::", "http://[::1]:80"),
        ("fe80::1", "http://[fe80::1]:80"),
    ],
)
def test_the_address_is_one_that_can_be_reached(host: str, url: str) -> None:
    assert loopback_url(host, 80) == url
    found = Settings(server=ServerSettings(host=host, port=80), store=StoreSettings(path="/none"))
    assert owner.linked(found).url == url


def test_a_store_that_does_not_exist_is_not_made(tmp_path: Path) -> None:
    found = settings(tmp_path)
    with pytest.raises(StoreError, match="no store at .*perf.duckdb"), owner.reached(found, ManualClock()):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_store_in_memory_needs_its_owner(tmp_path: Path) -> None:
    found = settings(tmp_path, backend="memory")
    with pytest.raises(OwnerError, match="only in its owner's memory"), owner.reached(found, ManualClock()):
        pass
