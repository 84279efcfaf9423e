"""Writes the list of endpoints in docs/guides/api.md from the endpoints themselves; ``--check`` only says whether it is up to date."""

from __future__ import annotations

import sys
from itertools import groupby
from pathlib import Path

from perf.api.app import endpoints
from perf.api.docs import curl
from perf.api.endpoint import Endpoint, Param
from perf.api.openapi import tag
from tools import generated

GUIDE = Path(__file__).resolve().parent.parent / "docs" / "guides" / "api.md"
BEGIN, END = "<!-- endpoints: made by make fix -->", "<!-- /endpoints -->"


def reference() -> str:
    """Every endpoint as Markdown, grouped by the first word of its path."""
    lines: list[str] = []
    ordered = sorted(endpoints(), key=tag)
    for name, group in groupby(ordered, key=tag):
        lines += [f"### {name}", ""]
        for one in group:
            lines += _entry(one)
    return "\n".join(lines).rstrip()


def _entry(one: Endpoint) -> list[str]:
    forms = "" if one.media == ("application/json",) else f" Answers {', '.join(f'`{media}`' for media in one.media)}."
    again = " Takes an `Idempotency-Key`." if one.creates else ""
    lines = [f"**`{one.method} {one.url}`** (scope {one.needs.value}): {one.summary}.{forms}{again}", ""]
    if one.query or one.headers:
        lines += ["| parameter | meaning |", "|---|---|"]
        lines += [_row(param) for param in (*one.query, *one.headers)]
        lines.append("")
    return [*lines, "```sh", curl(one), "```", ""]


def _row(param: Param) -> str:
    schema = param.schema
    notes = [word for word, holds in (("required", param.required), ("may repeat", param.many)) if holds]
    if "enum" in schema:
        notes.append("one of " + ", ".join(f"`{value}`" for value in schema["enum"]))
    if "minimum" in schema:
        notes.append(f"{schema['minimum']} to {schema['maximum']:,}")
    if "default" in schema:
        notes.append(f"default `{schema['default']}`")
    told = f" ({'; '.join(notes)})" if notes else ""
    return f"| `{param.name}` | {param.help.replace('|', chr(92) + '|')}{told} |"


def main(*, check: bool) -> int:
    """Write the list between its two marks, or with *check* compare; 1 when it is missing or old."""
    return generated.renew(GUIDE, BEGIN, END, reference(), check=check)


if __name__ == "__main__":
    sys.exit(main(check="--check" in sys.argv[1:]))
