"""What every setting is called, means and defaults to: for tables, for the Settings page, for logs that must not hold secrets."""

from __future__ import annotations

from collections.abc import Iterator
from operator import attrgetter
from typing import Any

import msgspec

from perf.settings.root import Settings
from perf.settingtree import PREFIX, Group, meaning, plain, written

_SECRET = (
    "headers",
    "password",
    "secret",
    "access.users",
    "access.key",
    "token",
    "routing_key",
    "slack.url",
    "webhook.urls",
    "apprise.urls",
    "heartbeat.url",
    "health.probes",
)


class Described(msgspec.Struct, frozen=True, kw_only=True):
    """A setting: its key, its variable, its default as JSON and as people write it, what it means, its type, and whether nobody may read it."""

    key: str
    variable: str
    default: str
    shown: str
    meaning: str
    kind: Any  # Any: the type of a setting, which has no type of its own
    secret: bool


def describe(group: type = Settings, prefix: tuple[str, ...] = ()) -> Iterator[Described]:
    """Every setting, in the order of the tree."""
    for field in msgspec.structs.fields(group):
        path = (*prefix, field.name)
        kind = plain(field.type)
        if isinstance(kind, type) and issubclass(kind, Group):
            yield from describe(kind, path)
            continue
        default = field.default_factory() if field.default is msgspec.NODEFAULT else field.default
        yield Described(
            key=".".join(path),
            variable=PREFIX + "__".join(path).upper(),
            default=msgspec.json.encode(default).decode(),
            shown=written(default, field.type),
            meaning=meaning(field.type),
            kind=field.type,
            secret=any(word in ".".join(path) for word in _SECRET),
        )


def in_force(settings: Settings) -> Iterator[tuple[Described, str]]:
    """Every setting with its value in *settings*, written like its default; the values of secrets are hidden."""
    for described in describe():
        value = attrgetter(described.key)(settings)
        yield described, "***" if described.secret and value else written(value, described.kind)
