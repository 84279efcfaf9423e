"""Makes the hash of a password for ``access.users`` of the settings. Exit code: 0, 2 when the two entries differ."""

from __future__ import annotations

import argparse
import getpass
import sys

from perf.access.passwords import LONGEST, hashed
from perf.errors import PerfError

SUMMARY = "make the hash of a password"
SHORTEST = 10
"""Characters of a password: a guess takes a fifth of a second of a core, for whoever has stolen the hashes, too."""
EXAMPLES = """\
examples:
  python -m perf password                                  asks for it twice
  pwgen -s 20 1 | python -m perf password                  reads one line

In perf.toml:
  [access.users.ada]
  role = "admin"                                           or operator, or viewer
  hash = "$argon2id$..."
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare no options: a password on a command line stands in the history of the shell."""


def run(options: argparse.Namespace) -> int:  # noqa: ARG001 - every verb is called so
    """Read it, and print its hash."""
    print(hashed(checked(_read())))
    return 0


def checked(password: str) -> str:
    """*password*, when it can be used. Raises: PerfError."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise PerfError(f"a password has {SHORTEST} to {LONGEST:,} characters, not {len(password)}")
    return password


def _read() -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    first = getpass.getpass("Password: ")
    if getpass.getpass("Once more: ") != first:
        raise PerfError("the two differ")
    return first
