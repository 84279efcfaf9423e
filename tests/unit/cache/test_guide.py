"""The guide names the drill behind each row of its table of faults: it must exist."""

from __future__ import annotations

import re

from tests.services import ROOT


def test_every_fault_in_the_guide_is_drilled_by_a_test_that_exists() -> None:
    text = (ROOT / "docs" / "guides" / "cache.md").read_text()
    section = text.partition("## When something fails")[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| ")][1:]
    sources = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("test_cache*.py"))
    sources += "\n".join(path.read_text() for path in (ROOT / "tests" / "unit" / "cache").glob("test_*.py"))
    known = set(re.findall(r"def (test_\w+)", sources))
    assert len(rows) >= 15
    for row in rows:
        drills = set(re.findall(r"`(test_\w+)`", row))
        assert drills, row
        assert drills <= known, row
