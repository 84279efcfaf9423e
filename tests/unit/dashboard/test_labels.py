"""Where the browser puts texts so that none covers another."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import playwright

from dashboard import units

SCRIPT = Path(units.__file__).parent / "components" / "live" / "labels.js"
_APART = """
import { readFileSync } from "node:fs";
const source = readFileSync(process.argv[1], "utf-8");
const { apart } = await import("data:text/javascript;base64," + Buffer.from(source).toString("base64"));
const { wanted, gap, bottom } = JSON.parse(readFileSync(0, "utf-8"));
process.stdout.write(JSON.stringify(apart(wanted.map((y) => ({ y })), gap, bottom)));
"""


def apart(wanted: list[float], gap: float, bottom: float) -> list[float]:
    """As the module's function of that name."""
    node = shutil.which("node") or Path(playwright.__file__).parent / "driver" / "node"
    asked = json.dumps({"wanted": wanted, "gap": gap, "bottom": bottom})
    command = [str(node), "--input-type=module", "-e", _APART, str(SCRIPT)]
    answer = subprocess.run(command, input=asked, capture_output=True, text=True, check=True, timeout=30)
    found: list[float] = json.loads(answer.stdout)
    return found


def test_of_labels_in_one_place_the_later_stands_higher() -> None:
    assert apart([50.25, 50.25, 50.0], 14.0, 200.0) == [78.0, 64.0, 50.0]


def test_labels_that_are_apart_stay() -> None:
    assert apart([150.0, 20.0, 90.0], 14.0, 200.0) == [150.0, 20.0, 90.0]
