"""The probes that settings name: each kind reads its own options, strictly."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from perf.errors import PluginError, SettingsError
from perf.health.options import ProbeOptions
from perf.health.plan import Plan
from perf.health.surroundings import Surroundings
from perf.plugins import PROBES, resolve
from perf.ports import Clock, Probe
from perf.settings import HealthSettings
from perf.settingtree import chosen

_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")
_GROUP = "health.probes"


def configured(
    settings: HealthSettings, own: Iterable[str], clock: Clock, store: Path | None = None
) -> tuple[dict[str, Probe], dict[str, Plan]]:
    """Name -> probe for each that *settings* add, and name -> plan for these and for perf's *own*. None of them opens the
    file *store*.

    Raises: SettingsError naming the probe and the option, PluginError for an unknown kind or a missing package.
    """
    found: dict[str, Probe] = {}
    around = Surroundings(clock=clock, timeout=settings.timeout, store=store)
    plans = {name: _plan(ProbeOptions(), settings, name) for name in own}
    for name, tree in settings.probes.items():
        if not _NAME.fullmatch(name):
            raise SettingsError(f"{_GROUP}: {name!r}: a name has small letters, digits, '.', '_' and '-', 64 at most")
        if name in plans:
            plans[name] = _plan(_adjusted(name, tree), settings, name)
            continue
        options, found[name] = _made(name, tree, around)
        plans[name] = _plan(options, settings, options.kind)
    return found, plans


def _adjusted(name: str, tree: Mapping[str, Any]) -> ProbeOptions:
    """What is said of one of perf's own probes."""
    if "kind" in tree:
        raise SettingsError(
            f"{_GROUP}.{name}: one of perf's own probes, which has no kind to choose; take another name"
        )
    return chosen(tree, ProbeOptions, "settings", ("health", "probes", name))


def _made(name: str, tree: Mapping[str, Any], around: Surroundings) -> tuple[ProbeOptions, Probe]:
    kind = tree.get("kind")
    if not isinstance(kind, str) or not kind:
        raise SettingsError(f"{_GROUP}.{name}: say which kind it is; known: {', '.join(sorted(PROBES))}")
    try:
        made: Any = resolve("probe", kind, PROBES)  # Any: a class with Options of its own
    except PluginError as error:
        raise PluginError(f"{_GROUP}.{name}: {error}") from error
    options = chosen(tree, made.Options, "settings", ("health", "probes", name))
    if options.timeout:
        around = msgspec.structs.replace(around, timeout=options.timeout)
    try:
        return options, made(options, around)
    except SettingsError as error:
        raise SettingsError(f"{_GROUP}.{name}: {error}") from error


def _plan(options: ProbeOptions, settings: HealthSettings, kind: str) -> Plan:
    return Plan(
        timeout=options.timeout or settings.timeout,
        interval=options.interval or settings.interval,
        after=options.after,
        critical=options.critical,
        readiness=options.readiness,
        failures=options.failures,
        kind=kind,
    )
