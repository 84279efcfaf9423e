"""Which programs of the tests are missing, and what to install for them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools import system_packages


def test_a_program_is_found_on_path_only_when_it_is_there() -> None:
    assert system_packages.installed("sh")
    assert not system_packages.installed("no-such-program-of-anyone")


def test_postgresql_is_found_where_debian_keeps_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system_packages, "_POSTGRES", tmp_path)
    assert not system_packages.installed("only-there")
    (tmp_path / "15" / "bin").mkdir(parents=True)
    (tmp_path / "15" / "bin" / "only-there").touch()
    assert system_packages.installed("only-there")


def test_an_extension_of_postgresql_is_found_by_its_control_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(system_packages, "_EXTENSIONS", tmp_path)
    assert not system_packages.installed("only-there")
    (tmp_path / "15" / "extension").mkdir(parents=True)
    (tmp_path / "15" / "extension" / "only-there.control").touch()
    assert system_packages.installed("only-there")
