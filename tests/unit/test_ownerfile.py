"""The note that says who owns a store."""

import stat
from pathlib import Path

from perf import ownerfile
from perf.ownerfile import Owner

OWNER = Owner(pid=12, url="http://127.0.0.1:8503", token="secret", started=1.0)


def test_a_note_is_read_back_and_only_this_user_may(tmp_path: Path) -> None:
    store = str(tmp_path / "perf.duckdb")
    ownerfile.write(store, OWNER)
    assert ownerfile.read(store) == OWNER
    assert stat.S_IMODE(ownerfile.path_for(store).stat().st_mode) == 0o600


def test_rubbish_and_absence_are_no_note(tmp_path: Path) -> None:
    store = str(tmp_path / "perf.duckdb")
    assert ownerfile.read(store) is None
    ownerfile.path_for(store).write_text('{"pid": "twelve"}')
    assert ownerfile.read(store) is None


def test_only_the_owner_removes_its_note(tmp_path: Path) -> None:
    store = str(tmp_path / "perf.duckdb")
    ownerfile.write(store, OWNER)
    ownerfile.remove(store, pid=13)
    assert ownerfile.read(store) == OWNER
    ownerfile.remove(store, pid=12)
    assert ownerfile.read(store) is None
