"""SQL beside the code: loading it, and quoting identifiers."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perf.sqlfiles import quoted, sql


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A package with ``sql/question.sql``; its name is new in every test, because answers are remembered."""
    name = f"package_of_{tmp_path.name}"
    (tmp_path / name / "sql").mkdir(parents=True)
    (tmp_path / name / "__init__.py").touch()
    (tmp_path / name / "sql" / "question.sql").write_text(
        "-- How many?\n  -- columns: n\nSELECT 1 AS n, '--not a comment' AS t -- kept\n", encoding="utf-8"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    yield name
    sys.modules.pop(name, None)


def test_whole_line_comments_are_stripped(package: str) -> None:
    assert sql(package, "question") == "SELECT 1 AS n, '--not a comment' AS t -- kept"


def test_a_file_that_is_missing_is_an_error(package: str) -> None:
    with pytest.raises(FileNotFoundError):
        sql(package, "answer")


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=20))
@settings(max_examples=50, deadline=None)
def test_a_quoted_name_is_that_name_to_the_engine(name: str) -> None:
    with duckdb.connect() as connection:
        assert connection.execute(f"SELECT 1 AS {quoted(name)}").description[0][0] == name
