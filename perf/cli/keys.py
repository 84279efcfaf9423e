"""API keys of programs: made, listed and revoked by the running monitor. Exit code: 0, 2 when it could not."""

from __future__ import annotations

import argparse
from urllib.parse import quote

import msgspec

from perf.cli import owner, remote
from perf.cli.table import moment, rendered
from perf.errors import PerfError
from perf.settingtree import quantity

SUMMARY = "API keys of programs"
EXAMPLES = """\
examples:
  python -m perf keys create ci --scope read --scope ingest --expires 90d
  python -m perf keys list
  python -m perf keys revoke 1f2e3d4c5b6a

The key is printed once; what is kept of it opens nothing. A program shows it as `Authorization: Bearer perf_...`.
Scopes: read (look), ingest (send measurements), operate (rules, silences, acknowledgements), admin (everything).
"""
SCOPES = ("read", "ingest", "operate", "admin")


class Key(msgspec.Struct, frozen=True):
    """What is read of a key; *key* is its text, in the answer that makes it."""

    id: str
    name: str
    scopes: list[str]
    author: str
    created: float
    state: str
    expires: float | None = None
    last_used: float | None = None
    key: str = ""


class Keys(msgspec.Struct, frozen=True):
    """The answer of ``/api/v1/keys``."""

    keys: list[Key]


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the actions of this verb."""
    remote.arguments(parser)
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    create = actions.add_parser("create", help="make a key and print it, once")
    create.add_argument("name", help="what it is for")
    create.add_argument("--scope", action="append", choices=SCOPES, help="what it may do (default: read)")
    create.add_argument("--expires", metavar="SPAN", help="such as 90d (default: never)")
    create.set_defaults(act=_create)
    actions.add_parser("list", help="every key").set_defaults(act=_list)
    revoke = actions.add_parser("revoke", help="let a key open nothing from now on")
    revoke.add_argument("id", help="as in the list")
    revoke.set_defaults(act=_revoke)


def run(options: argparse.Namespace) -> int:
    """Do the chosen action."""
    options.act(options)
    return 0


def _create(options: argparse.Namespace) -> None:
    given = {"name": options.name, "scopes": options.scope or ["read"], "seconds": _seconds(options.expires)}
    print(remote.asked(owner.link(options), "keys", Key, given).key)


def _list(options: argparse.Namespace) -> None:
    found = remote.asked(owner.link(options), "keys", Keys).keys
    columns = ("id", "name", "may", "state", "ends (UTC)", "last used", "made", "by")
    print(rendered(columns, [_cells(key) for key in found]) if found else "no keys")


def _revoke(options: argparse.Namespace) -> None:
    key = remote.asked(owner.link(options), f"keys/{quote(options.id, safe='')}", Key, method="DELETE")
    print(f"{key.name} ({key.id}) opens nothing any more")


def _seconds(text: str | None) -> float | None:
    try:
        return None if text is None else quantity(text, "seconds")
    except ValueError as error:
        raise PerfError(f"--expires: {error}") from error


def _cells(key: Key) -> tuple[str, ...]:
    ends = "never" if key.expires is None else moment(key.expires)
    used = "" if key.last_used is None else moment(key.last_used)
    return (key.id, key.name, ", ".join(key.scopes), key.state, ends, used, moment(key.created), key.author)
