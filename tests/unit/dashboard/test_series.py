"""How the browser stacks series, run by node without a browser."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import playwright

from dashboard import assets

SCRIPT = Path(assets.__file__).parent / "components" / "live" / "series.js"
_RUN = """
import { readFileSync } from "node:fs";
const source = readFileSync(process.argv[1], "utf-8");
const { stacked } = await import("data:text/javascript;base64," + Buffer.from(source).toString("base64"));
process.stdout.write(JSON.stringify(stacked(JSON.parse(readFileSync(0, "utf-8"))).map(({ t, v }) => [t, v])));
"""


def stacked(*series: dict[str, object]) -> list[list[list[float | None]]]:
    node = shutil.which("node") or Path(playwright.__file__).parent / "driver" / "node"
    command = [str(node), "--input-type=module", "-e", _RUN, str(SCRIPT)]
    done = subprocess.run(command, input=json.dumps(series), capture_output=True, text=True, check=True, timeout=30)
    found: list[list[list[float | None]]] = json.loads(done.stdout)
    return found


def test_what_is_rare_comes_down_beside_its_numbers() -> None:
    often = {"t": [0, 1, 2, 3, 4, 5], "v": [4, 4, 4, 4, 4, 4], "spacing": 1}
    rare = {"t": [3], "v": [1], "spacing": 10}

    assert stacked(often, rare)[1] == [[0, 1, 2, 3, 4, 5], [None, None, 4, 5, 4, None]]


def test_a_gap_of_all_stays_a_gap() -> None:
    one = {"t": [0, 1, 8, 9], "v": [1, 1, 1, 1], "spacing": 1}

    assert stacked(one, one)[1] == [[0, 1, 8, 9], [2, 2, 2, 2]]


def test_nothing_to_stack_is_nothing() -> None:
    assert stacked() == []
