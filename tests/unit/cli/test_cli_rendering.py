"""What the command line prints: tables, CSV, JSON."""

from __future__ import annotations

import argparse
import csv
import io

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perf.cli import sql
from perf.cli.cells import safe
from perf.cli.table import cell, rendered
from perf.model import SqlResult


def result(columns: tuple[str, ...], *rows: tuple[object, ...]) -> SqlResult:
    return SqlResult(columns=columns, types=("ANY",) * len(columns), rows=list(rows), truncated=False, seconds=0.0015)


def test_a_table_puts_numbers_right_and_text_left() -> None:
    assert rendered(("name", "n"), [("cpu", 5), ("memory", 12.5), ("none", None)]) == (
        "name       n\n------  ----\ncpu        5\nmemory  12.5\nnone    NULL"
    )


def test_a_table_without_rows_has_its_heads() -> None:
    assert rendered(("a", "bb"), []) == "a  bb\n-  --"


def test_a_cell_can_not_steer_the_terminal() -> None:
    assert cell("a\x1b[2Jb\nc\u202e") == "a\\x1b[2Jb\\nc\\u202e"


def test_a_long_cell_is_cut() -> None:
    assert cell("x" * 81) == "x" * 79 + "…"
    assert cell("x" * 80) == "x" * 80


def test_a_result_says_how_many_rows_and_how_long() -> None:
    assert sql.as_table(result(("a",), (1,))).splitlines()[-1] == "(1 row, 1.5 ms)"
    assert sql.as_table(result(("a",), (1,), (2,))).splitlines()[-1] == "(2 rows, 1.5 ms)"


def test_csv_guards_formulas_but_not_numbers() -> None:
    text = sql.as_csv(result(("=head", "n"), ("=1+1", -1), ("@x", 2.5), ("plain", None), ({"a": "b"}, 0)))
    rows = [["'=head", "n"], ["'=1+1", "-1"], ["'@x", "2.5"], ["plain", ""], ['{"a":"b"}', "0"]]
    assert list(csv.reader(io.StringIO(text))) == rows


@given(st.text())
def test_no_text_starts_a_formula(text: str) -> None:
    assert not str(safe(text)).startswith(("=", "+", "-", "@", "\t", "\r", "\n"))


def test_json_has_one_object_a_row_and_keeps_columns_of_one_name_apart() -> None:
    text = sql.as_json(result(("a", "a", "b"), (1, 2, None)))
    assert msgspec.json.decode(text) == [{"a": 1, "a_2": 2, "b": None}]


@pytest.mark.parametrize(("text", "count"), [("1", 1), ("100,000", 100_000), ("1_000", 1000)])
def test_a_row_count_may_have_separators(text: str, count: int) -> None:
    assert sql.row_count(text) == count


@pytest.mark.parametrize("text", ["0", "100001", "-1", "many", "", "1e3", "²"])
def test_a_row_count_outside_its_limits_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="from 1 to 100,000"):
        sql.row_count(text)
