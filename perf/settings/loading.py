"""Reads the tree: defaults < ``perf.toml`` < environment (``PERF_``). The only reader of the environment."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from perf.decoding import converted
from perf.errors import SettingsError
from perf.settings.root import BY_ENVIRONMENT, THRESHOLDS, Settings, check
from perf.settings.short import SHORT, adopt_short
from perf.settingtree import FOREIGN, PREFIX, adopt, fitted, put


def load(path: Path | None = None, environ: Mapping[str, str] | None = None) -> Settings:
    """Read the tree. *path* defaults to ``PERF_CONFIG``, else ``perf.toml`` in the current folder, if there is one.

    Raises: SettingsError naming the file or variable, the key, and the nearest known key.
    """
    env = dict(os.environ if environ is None else environ)
    named = path or (Path(env["PERF_CONFIG"]) if env.get("PERF_CONFIG") else None)
    file = named or Path("perf.toml")
    tree: dict[str, Any] = {}  # raw TOML: validated below, key by key
    if named is not None or file.exists():
        tree = fitted(_toml(file), Settings, str(file), ())
    for name, value in sorted(env.items()):
        if name.startswith(PREFIX) and name not in ("PERF_CONFIG", *FOREIGN, *SHORT):
            put(tree, Settings, name, value)
    adopt(tree, env)
    adopt_short(tree, Settings, env)
    tree["thresholds"] = _over_defaults(tree.get("thresholds", {}))
    for group, values in BY_ENVIRONMENT.get(tree.get("environment", ""), {}).items():
        tree[group] = {**values, **tree.get(group, {})}
    try:
        settings = converted(tree, Settings)
    except msgspec.ValidationError as error:
        raise SettingsError(f"settings: {error}") from error
    check(settings)
    return settings


def origins(path: Path | None = None, environ: Mapping[str, str] | None = None) -> tuple[Path | None, tuple[str, ...]]:
    """Where `load` takes its values from: the file (None without one) and the names of the variables that are set."""
    env = os.environ if environ is None else environ
    file = path or Path(env.get("PERF_CONFIG") or "perf.toml")
    names = tuple(
        sorted(
            name
            for name in env
            if name in FOREIGN or name in SHORT or name.startswith(PREFIX) and name != "PERF_CONFIG"
        )
    )
    return (file if file.exists() else None), names


def child_environment(config: Path | None) -> dict[str, str]:
    """The environment of this process for one that it starts, with *config* as its settings file."""
    named = {} if config is None else {"PERF_CONFIG": str(config.resolve())}
    return {**os.environ, **named}


def _toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{file}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file}: not TOML: {error}") from error


def _over_defaults(given: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The default thresholds with the *given* limits over them, so that one changed limit drops no other."""
    merged: dict[str, dict[str, Any]] = msgspec.to_builtins(THRESHOLDS)
    for name, limits in given.items():
        merged[name] = merged.get(name, {}) | limits
    return merged
