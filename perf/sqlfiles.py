"""Loads the ``.sql`` files that stand beside the code; comments are for readers and are stripped before sending."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

_COMMENT = re.compile(r"^\s*--.*\n?", re.MULTILINE)


@cache
def sql(package: str, name: str) -> str:
    """The text of ``sql/<name>.sql`` in *package*, without whole-line comments.

    Raises: FileNotFoundError when there is no such file.
    """
    text = files(package).joinpath("sql", f"{name}.sql").read_text(encoding="utf-8")
    return _COMMENT.sub("", text).strip()


def quoted(identifier: str) -> str:
    """*identifier* as a SQL identifier, safe whatever it contains."""
    return '"' + identifier.replace('"', '""') + '"'
