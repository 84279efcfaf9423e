"""Rules as YAML, so that they live in git: written, read strictly, and compared."""

from __future__ import annotations

import difflib
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
import yaml

from perf.decoding import converted
from perf.errors import PerfError
from perf.model import AlertRule
from perf.settingtree import quantity

LARGEST = 1_000_000
"""Characters of a file."""
MOST = 2_000
"""Rules in a file."""

_AS_WRITTEN = {"for_seconds": "for"}
"""Field -> key, where they differ."""
_FIELD = {key: field for field, key in _AS_WRITTEN.items()}
_SPANS = ("window", "for_seconds", "keep_firing", "cooldown", "repeat")
"""Fields in seconds, which a file may write as ``5m``."""
_UNITS = ((86_400.0, "d"), (3600.0, "h"), (60.0, "m"), (1.0, "s"))
_KNOWN = tuple(_AS_WRITTEN.get(name, name) for name in AlertRule.__struct_fields__)


class RulesError(PerfError):
    """A file of rules can't be taken; *problems* are all of them, each saying where."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """What would change when *after* replaced *before* (None: there is none), in lines such as ``for: 1m -> 5m``.

    *given*: a file says so, instead of lacking the rule.
    """

    before: AlertRule | None
    after: AlertRule | None
    lines: tuple[str, ...] = ()
    given: bool = True

    @property
    def name(self) -> str:
        """The rule that is meant."""
        return next((rule.name for rule in (self.after, self.before) if rule), "")

    @property
    def verb(self) -> str:
        """``add``, ``drop`` or ``change``."""
        return "add" if self.before is None else "drop" if self.after is None else "change"


def text(rules: Iterable[AlertRule]) -> str:
    """*rules* as YAML, by name; what is as by default is left out."""
    document = {"rules": [plain(rule) for rule in sorted(rules, key=lambda rule: rule.name)]}
    return yaml.dump(document, Dumper=_Plain, sort_keys=False, allow_unicode=True, width=120)


def read(source: str) -> list[AlertRule]:
    """The rules of *source*, none of them yet tried against its kind.

    Raises: RulesError with everything that is wrong.
    """
    problems: list[str] = []
    rules: list[AlertRule] = []
    for number, given in enumerate(_listed(source), 1):
        where = f"rule {number}"
        if isinstance(given, dict) and given.get("name"):
            where += f" ({str(given['name'])[:60]})"
        try:
            rules.append(rule(given))
        except (ValueError, msgspec.ValidationError) as error:
            problems.append(f"{where}: {error}")
    problems += [f"the name {name!r} is there more than once" for name in _repeated(rule.name for rule in rules)]
    if problems:
        raise RulesError(problems)
    return rules


def identified(rules: Iterable[AlertRule], stored: Iterable[AlertRule]) -> list[AlertRule]:
    """*rules* with the ids of the *stored* rules of the same names."""
    ids = {rule.name: rule.id for rule in stored}
    return [msgspec.structs.replace(rule, id=ids.get(rule.name, rule.id)) for rule in rules]


def difference(stored: Iterable[AlertRule], given: Iterable[AlertRule]) -> list[Difference]:
    """What makes *stored* into *given*, rule by rule and by name; a rule that stays as it is is left out."""
    before, after = {rule.name: rule for rule in stored}, {rule.name: rule for rule in given}
    found = []
    for name in sorted(before.keys() | after.keys()):
        old, new = before.get(name), after.get(name)
        lines = _changed(old, new) if old and new else ()
        if lines or not (old and new):
            found.append(Difference(before=old, after=new, lines=lines, given=new is not None))
    return found


def _listed(source: str) -> list[object]:
    if len(source) > LARGEST:
        raise RulesError([f"a file of rules has at most {LARGEST:,} characters, not {len(source):,}"])
    try:
        document = yaml.load(source, Loader=_Strict)  # noqa: S506 - a safe loader, and stricter.
    except yaml.YAMLError as error:
        raise RulesError([f"not YAML: {_where(error)}"]) from error
    except RecursionError as error:
        raise RulesError(["not YAML for rules: nested too deep"]) from error
    except ValueError as error:  # Such as a day that no calendar has.
        raise RulesError([f"not YAML for rules: {error}"]) from error
    if not isinstance(document, dict) or not isinstance(document.get("rules"), list):
        raise RulesError(["a file of rules begins with 'rules:' and holds a list below it"])
    unknown = [str(key) for key in document if key != "rules"]
    if unknown:
        raise RulesError([f"unknown key {unknown[0]!r} beside 'rules'"])
    if len(document["rules"]) > MOST:
        raise RulesError([f"a file holds at most {MOST:,} rules, not {len(document['rules']):,}"])
    listed: list[object] = document["rules"]
    return listed


def rule(given: object, *, id: str = "") -> AlertRule:
    """The rule that the keys of *given* say, under *id* (default: one made of its name).

    Raises: ValueError, msgspec.ValidationError.
    """
    if not isinstance(given, dict):
        raise ValueError(f"is a group of keys, not {str(given)[:40]!r}")  # noqa: TRY004  # said like the rest
    fields: dict[str, Any] = {}  # Any: raw YAML or JSON, converted below
    for key, value in given.items():
        if key not in _KNOWN:
            raise ValueError(f"unknown key {key!r}{_nearest(str(key))}")
        field = _FIELD.get(str(key), str(key))
        fields[field] = _seconds(key, value) if field in _SPANS else value
    name = fields.get("name")
    if not isinstance(name, str) or not name.strip():
        raise ValueError("has no name")
    fields["id"] = id or fields.get("id") or identity(name)
    if isinstance(fields.get("labels"), Mapping):
        fields["labels"] = sorted((str(label), str(text)) for label, text in fields["labels"].items())
    return converted(fields, AlertRule)


def identity(name: str) -> str:
    """An id for a rule called *name*: readable, and the same wherever the file is read."""
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40]
    return f"{slug}-{hashlib.sha256(name.encode()).hexdigest()[:6]}".strip("-")


def _seconds(key: str, value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return quantity(value, "seconds")
    except ValueError as error:
        raise ValueError(f"{key}: {error}") from error


def plain(rule: AlertRule) -> dict[str, object]:
    """What *rule* says beyond the defaults, under the keys of a file."""
    shown: dict[str, object] = {}
    values: dict[str, Any] = msgspec.to_builtins(rule)  # Any: builtins of every field; defaults are left out
    for name, value in values.items():
        if name == "id":
            continue
        if name in _SPANS and value is not None:
            shown[_AS_WRITTEN.get(name, name)] = span(value)
        elif name == "labels":
            shown[name] = dict(value)
        else:
            shown[name] = list(value) if isinstance(value, tuple) else value
    return shown


def span(seconds: float) -> str:
    """``5m``, ``90s``: the largest unit that leaves a whole number."""
    for size, unit in _UNITS:
        if seconds and seconds % size == 0:
            return f"{seconds / size:.0f}{unit}"
    return f"{seconds:.15g}s"


def _changed(old: AlertRule, new: AlertRule) -> tuple[str, ...]:
    was, now = plain(old), plain(new)
    keys = [key for key in _KNOWN if was.get(key) != now.get(key)]
    return tuple(f"{key}: {_said(was.get(key))} -> {_said(now.get(key))}" for key in keys)


def _said(value: object) -> str:
    return "default" if value is None else value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _nearest(key: str) -> str:
    close = difflib.get_close_matches(key, _KNOWN, n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else f"; known: {', '.join(_KNOWN)}"


def _repeated(names: Iterable[str]) -> list[str]:
    seen: set[str] = set()
    return sorted({name for name in names if name in seen or seen.add(name)})  # type: ignore[func-returns-value]  # add says nothing


def _where(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or re.sub(r"\s+", " ", str(error))
    return f"{problem}, line {mark.line + 1}, column {mark.column + 1}" if mark else str(problem)


class _Strict(yaml.SafeLoader):
    """PyYAML's safe loader, which refuses a key that comes twice, and references, which can grow without end."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()  # type: ignore[no-untyped-call]  # the stubs' gap
            raise yaml.composer.ComposerError(None, None, "references (*name) are not taken", event.start_mark)
        node: yaml.Node | None = super().compose_node(parent, index)
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002  # as PyYAML has it
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(None, None, "a key is a word", key.start_mark)
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"key {key.value!r} comes twice", key.start_mark)
            seen.add(key.value)
        found: dict[Any, Any] = super().construct_mapping(node, deep)
        return found


class _Plain(yaml.SafeDumper):
    """PyYAML's safe dumper, which puts what isn't printable into quotes: it would read some of it as another line."""


def _quoted(dumper: yaml.SafeDumper, words: str) -> yaml.ScalarNode:
    style = None if all(letter.isprintable() or letter == "\n" for letter in words) else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", words, style)


_Plain.add_representer(str, _quoted)
