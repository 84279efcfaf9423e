"""The rules of alerts, as files that live in git. Exit code: 0, 1 when `diff` finds differences, 2 when it failed."""

from __future__ import annotations

import argparse
import getpass
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from perf.cli import owner, remote
from perf.cli.table import rendered
from perf.errors import PerfError

SUMMARY = "the rules of alerts: list, export, import, diff, validate, preview"
EXAMPLES = """\
examples:
  python -m perf rules list
  python -m perf rules export > rules.yaml
  python -m perf rules validate rules.yaml                 without a running monitor
  python -m perf rules diff rules.yaml                     what an import would change
  python -m perf rules import rules.yaml --drop            all of it or nothing; rules it lacks go
  python -m perf rules preview rules.yaml --from now-7d    how often each would have fired
"""


class Week(msgspec.Struct, frozen=True):
    """What a rule did in seven days."""

    times: int
    seconds: float


class Rule(msgspec.Struct, frozen=True):
    """What is read of a rule."""

    id: str
    name: str
    state: str
    last_7d: Week
    severity: str = "medium"
    condition: str = ""
    kind: str = "threshold"


class Rules(msgspec.Struct, frozen=True):
    """The answer of ``/api/v1/alerts/rules``."""

    rules: list[Rule]


class Change(msgspec.Struct, frozen=True):
    """One rule that an import changes."""

    verb: str
    name: str
    lines: list[str]


class Changes(msgspec.Struct, frozen=True):
    """The answer of ``/api/v1/alerts/import``."""

    changes: list[Change]


class Previewed(msgspec.Struct, frozen=True):
    """What is read of a preview."""

    times: int
    seconds: float


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the actions of this verb."""
    remote.arguments(parser)
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    for name, act, text in _ACTIONS:
        action = actions.add_parser(name, help=text, description=text)
        action.set_defaults(act=act)
        if name not in ("list", "export"):
            action.add_argument("file", metavar="FILE", help="YAML; - is standard input")
        if name in ("import", "diff"):
            action.add_argument("--drop", action="store_true", help="rules that the file lacks go")
        if name == "preview":
            action.add_argument("--from", dest="start", default="now-7d", metavar="TIME", help="default: now-7d")


def run(options: argparse.Namespace) -> int:
    """Do the chosen action."""
    code: int = options.act(options)
    return code


def _list(options: argparse.Namespace) -> int:
    found = remote.asked(owner.link(options), "alerts/rules", Rules).rules
    columns = ("state", "rule", "severity", "condition", "fired in 7 d", "minutes")
    rows = [
        (
            one.state,
            one.name,
            one.severity,
            one.condition or one.kind,
            one.last_7d.times,
            round(one.last_7d.seconds / 60),
        )
        for one in found
    ]
    print(rendered(columns, rows))
    return 0


def _export(options: argparse.Namespace) -> int:
    print(remote.text(owner.link(options), "alerts/export"), end="")
    return 0


def _import(options: argparse.Namespace) -> int:
    _show(_sent(options, check=False), "nothing to change")
    return 0


def _diff(options: argparse.Namespace) -> int:
    found = _sent(options, check=True)
    _show(found, "the same")
    return int(bool(found))


def _validate(options: argparse.Namespace) -> int:
    from perf.views.rules import checked  # what rules are made of, which a monitor that runs has loaded already

    count = len(checked(_source(options)))
    print(f"{count} rule{'' if count == 1 else 's'}, nothing wrong")
    return 0


def _preview(options: argparse.Namespace) -> int:
    from perf.alerts import files

    asked, rules = owner.link(options), files.read(_source(options))
    rows = []
    for rule in rules:
        given: dict[str, Any] = {"rule": files.plain(rule), "from": options.start}  # Any: as JSON has it
        found = remote.asked(asked, "alerts/preview", Previewed, given)
        rows.append((rule.name, found.times, round(found.seconds / 60)))
    print(rendered(("rule", f"fired since {options.start}", "minutes"), rows))
    return 0


_ACTIONS: tuple[tuple[str, Callable[[argparse.Namespace], int], str], ...] = (
    ("list", _list, "every rule with how it stands"),
    ("export", _export, "every rule as YAML"),
    ("import", _import, "take a file: all of it or nothing"),
    ("diff", _diff, "what an import would change"),
    ("validate", _validate, "whether a file can be taken; needs no running monitor"),
    ("preview", _preview, "how often each rule of a file would have fired"),
)


def _source(options: argparse.Namespace) -> str:
    try:
        return sys.stdin.read() if options.file == "-" else Path(options.file).read_text(encoding="utf-8")
    except OSError as error:
        raise PerfError(f"can't read {options.file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise PerfError(f"{options.file}: not UTF-8") from error


def _sent(options: argparse.Namespace, *, check: bool) -> list[Change]:
    given = {"yaml": _source(options), "drop": options.drop, "check": check, "by": _author()}
    return remote.asked(owner.link(options), "alerts/import", Changes, given).changes


def _author() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # An account without a name.
        return "command line"


def _show(changes: list[Change], nothing: str) -> None:
    for one in changes:
        print(f"{one.verb} {one.name}")
        for line in one.lines:
            print(f"  {line}")
    if not changes:
        print(nothing)
