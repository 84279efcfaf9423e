"""Numbers for people: Python and the browser must agree, so both are held against one table."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
from pathlib import Path

import playwright
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard import units

CASES = json.loads(Path(__file__).with_name("units_cases.json").read_text(encoding="utf-8"))
SCRIPT = Path(units.__file__).parent / "components" / "live" / "units.js"
_CHECK = """
import { readFileSync } from "node:fs";
const source = readFileSync(process.argv[1], "utf-8");
const { show, exact } = await import("data:text/javascript;base64," + Buffer.from(source).toString("base64"));
const cases = JSON.parse(readFileSync(0, "utf-8"));
process.stdout.write(JSON.stringify(cases.map(({ value, unit }) => [show(value, unit), exact(value, unit)])));
"""


def _in_javascript(cases: list[dict[str, object]]) -> list[list[str]]:
    node = shutil.which("node") or Path(playwright.__file__).parent / "driver" / "node"
    command = [str(node), "--input-type=module", "-e", _CHECK, str(SCRIPT)]
    done = subprocess.run(command, input=json.dumps(cases), capture_output=True, text=True, check=True, timeout=30)
    found: list[list[str]] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['value']} {case['unit']}")
def test_numbers_are_written_as_the_table_says(case: dict[str, object]) -> None:
    value, unit = case["value"], str(case["unit"])
    assert value is None or isinstance(value, (int, float))

    assert (units.show(value, unit), units.exact(value, unit)) == (case["show"], case["exact"])


def test_the_browser_writes_the_same() -> None:
    found = _in_javascript(CASES)

    assert found == [[case["show"], case["exact"]] for case in CASES]


def test_missing_and_endless_numbers_have_a_sign() -> None:
    found = [units.show(value, "s") for value in (None, math.nan, math.inf, -math.inf)]

    assert found == ["–", "–", "∞", "−∞"]


@given(st.floats(min_value=1e-9, max_value=3.6e6), st.sampled_from(["s", "By", "1", "%"]))
def test_shown_number_is_within_half_a_digit(value: float, unit: str) -> None:
    """Law: three significant digits mean a relative error of at most 0.5 %, whatever the scale."""
    number, _, name = units.show(value, unit).replace(",", "").partition(" ")
    if unit == "1" and number[-1:].isalpha():
        number, name = number[:-1], number[-1]
    factors = {"ns": 1e-9, "µs": 1e-6, "ms": 1e-3, "min": 60.0, "h": 3600.0, "k": 1e3, "M": 1e6}
    factors |= {"KiB": 2.0**10, "MiB": 2.0**20, "GiB": 2.0**30}

    assert float(number) * factors.get(name, 1.0) == pytest.approx(value, rel=0.00501)


@pytest.mark.parametrize(
    ("top", "unit", "expected"),
    [
        (92.4, "%", [0.0, 20.0, 40.0, 60.0, 80.0, 100.0]),
        (0.209, "s", [0.0, 0.05, 0.1, 0.15, 0.2, 0.25]),
        (1_500.0, "s", [0.0, 600.0, 1_200.0, 1_800.0]),
        (3 * 2.0**20, "By", [0.0, 2.0**20, 2 * 2.0**20, 3 * 2.0**20]),
        (0.0, "s", [0.0]),
        (math.inf, "%", [0.0]),
    ],
)
def test_ticks_are_round_in_the_unit_that_is_shown(top: float, unit: str, expected: list[float]) -> None:
    assert units.ticks(top, unit) == pytest.approx(expected)


@given(st.floats(min_value=1e-9, max_value=1e15), st.sampled_from(["s", "By", "1", "%"]), st.integers(2, 8))
def test_ticks_reach_the_top_and_are_few(top: float, unit: str, most: int) -> None:
    """Law: the last tick is no less than the top, the one before it is, and there are at most *most* above zero."""
    found = units.ticks(top, unit, most)

    assert found[-1] >= top * (1 - 1e-9)
    assert found[-2] < top
    assert len(found) <= most + 1
