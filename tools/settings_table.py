"""Writes the README's table of settings from the tree itself; ``--check`` only says whether it is up to date."""

from __future__ import annotations

import sys
from pathlib import Path

from perf.settings import describe
from tools import generated

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
BEGIN, END = "<!-- settings: made by make fix -->", "<!-- /settings -->"


def table() -> str:
    """The settings as Markdown, one row each."""
    rows = ["| setting | environment | default | what |", "|---|---|---|---|"]
    rows += [f"| `{one.key}` | `{one.variable}` | `{one.shown}` | {one.meaning} |" for one in describe()]
    return "\n".join(rows)


def main(*, check: bool) -> int:
    """Write the table between its two marks, or with *check* compare; 1 when it is missing or old."""
    return generated.renew(README, BEGIN, END, table(), check=check)


if __name__ == "__main__":
    sys.exit(main(check="--check" in sys.argv[1:]))
