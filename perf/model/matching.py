"""Which values of a label are meant: ``=``, ``!=``, ``=~`` and ``!~``, as in PromQL. Pure, and linear in the length of a value."""

from __future__ import annotations

import re
from functools import lru_cache

import msgspec

MAX_PATTERN = 200
_PIECE = re.compile(r"\\(?P<escaped>.)|(?P<wild>\.[*+]?)|(?P<refused>[*+?()\[\]{}^$])|(?P<plain>.)", re.DOTALL)


class Match(msgspec.Struct, frozen=True):
    """What the value of *label* must be, or with *negated* must not be: *text*, or with *pattern* one that fits it.

    A missing label counts as an empty value.
    """

    label: str
    text: str
    negated: bool = False
    pattern: bool = False

    def fits(self, value: str) -> bool:
        """Whether *value* is meant. Raises: ValueError for a pattern that isn't one."""
        found = compiled(self.text).fullmatch(value) is not None if self.pattern else value == self.text
        return found is not self.negated


@lru_cache(maxsize=500)
def compiled(text: str) -> re.Pattern[str]:
    r"""The pattern *text*: literal text, ``.``, ``.*``, ``.+``, alternatives with ``|``, and ``\\`` before a special character.

    Regular expressions proper are left out: some of them take hours for one value, and anyone may ask.
    Raises: ValueError when it holds anything else.
    """
    if len(text) > MAX_PATTERN:
        raise ValueError(f"a pattern has at most {MAX_PATTERN} characters, not {len(text)}")
    return re.compile("|".join(_alternative(part) for part in _alternatives(text)), re.DOTALL)


def _alternatives(text: str) -> list[list[re.Match[str]]]:
    found: list[list[re.Match[str]]] = [[]]
    for piece in _PIECE.finditer(text):
        if piece["refused"] or piece["plain"] == "\\":
            raise ValueError(
                f"{piece[0]!r} at {piece.start() + 1}: a pattern knows . .* .+ | and \\ before a character"
            )
        if piece["plain"] == "|":
            found.append([])
        else:
            found[-1].append(piece)
    return found


def _alternative(pieces: list[re.Match[str]]) -> str:
    """Every run of anything takes the least that the text behind it allows, and never comes back; only the last is free."""
    runs = [""]
    for piece in pieces:
        if piece["wild"] in (".*", ".+"):
            runs[-1] += "." if piece["wild"] == ".+" else ""
            runs.append("")
        else:
            runs[-1] += "." if piece["wild"] else re.escape(piece["escaped"] or piece["plain"])
    first, *middle = runs
    if not middle:
        return first
    return first + "".join(f"(?>.*?{run})" for run in middle[:-1]) + f".*{middle[-1]}"
