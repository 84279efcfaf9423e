"""Writes the README's table of settings from the tree itself; ``--check`` only says whether it is up to date."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from perf.settings import describe

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
BEGIN, END = "<!-- settings: made by make fix -->", "<!-- /settings -->"
_BETWEEN = re.compile(re.escape(BEGIN) + ".*?" + re.escape(END), re.DOTALL)


def table() -> str:
    """The settings as Markdown, one row each."""
    rows = ["| setting | environment | default | what |", "|---|---|---|---|"]
    rows += [f"| `{one.key}` | `{one.variable}` | `{one.shown}` | {one.meaning} |" for one in describe()]
    return "\n".join(rows)


def main(*, check: bool) -> int:
    """Write the table between its two marks, or with *check* compare; 1 when it is missing or old."""
    text = README.read_text(encoding="utf-8") if README.exists() else ""
    if not _BETWEEN.search(text):
        print(f"README.md has no lines {BEGIN} and {END}", file=sys.stderr)
        return 1
    wanted = f"{BEGIN}\n{table()}\n{END}"
    fresh = _BETWEEN.sub(lambda _: wanted, text)
    if check and fresh != text:
        print("the settings table in README.md is old: make fix", file=sys.stderr)
        return 1
    if fresh != text:
        README.write_text(fresh, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(check="--check" in sys.argv[1:]))
