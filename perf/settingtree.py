"""Fits raw TOML and environment variables to a tree of setting groups, strictly: every misfit is an error that says where."""

from __future__ import annotations

import difflib
import re
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec

from perf.decoding import converted
from perf.errors import SettingsError

Seconds = Annotated[float, msgspec.Meta(gt=0, extra={"unit": "seconds"})]
"""A duration: a number of seconds, or text such as ``500ms``, ``10s``, ``5m``, ``6h``, ``7d``, ``2y``."""

Bytes = Annotated[int, msgspec.Meta(ge=0, extra={"unit": "bytes"})]
"""A size: a number of bytes, or text such as ``256MiB`` or ``1GB``."""

PREFIX = "PERF_"
FOREIGN = {
    "PERF_RELEASE": ("record", "release"),
    "OTEL_SERVICE_NAME": ("send", "service"),
    "OTEL_EXPORTER_OTLP_ENDPOINT": ("send", "url"),
    "OTEL_EXPORTER_OTLP_HEADERS": ("send", "headers"),
}
"""Variables that aren't named like their setting; what is set under its own name wins."""
_DURATION = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0, "y": 31_536_000.0}
_SIZE = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 2**10, "mib": 2**20, "gib": 2**30}
_QUANTITY = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([a-zA-Z]*)\s*")


class Group(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base of every group of settings."""


_G = TypeVar("_G", bound=Group)


def says(meaning: str) -> msgspec.Meta:
    """What a setting means, for people."""
    return msgspec.Meta(description=meaning)


def quantity(text: str, unit: str) -> float:
    """``6h`` as seconds or ``256MiB`` as bytes; *unit* is ``seconds`` or ``bytes``.

    Raises: ValueError when *text* isn't a quantity of that unit.
    """
    table = {k: float(v) for k, v in _SIZE.items()} if unit == "bytes" else {"": 1.0, **_DURATION}
    match = _QUANTITY.fullmatch(text)
    suffix = match[2].lower() if match else ""
    if match is None or suffix not in table:
        known = ", ".join(key for key in table if key)
        raise ValueError(f"not a number of {unit}: {text!r} (units: {known})")
    return float(match[1]) * table[suffix]


def plain(kind: Any) -> Any:  # Any: typing forms have no common type
    """The type inside ``Annotated`` or ``X | None``."""
    if typing.get_origin(kind) is Annotated:
        return typing.get_args(kind)[0]
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        return next(arg for arg in typing.get_args(kind) if arg is not type(None))
    return kind


def meaning(kind: Any) -> str:  # Any: as above
    """What the annotation of a setting says it means."""
    metas = typing.get_args(kind)[1:] if typing.get_origin(kind) is Annotated else ()
    return next((meta.description for meta in metas if meta.description), "")


def written(value: Any, kind: Any) -> str:  # Any: a value of any setting, and its type
    """*value* as people write it: ``6h``, ``256MiB``, or JSON."""
    unit = _unit(kind)
    if unit is None or not value:
        return msgspec.json.encode(value).decode()
    scales = _SIZE if unit == "bytes" else _DURATION
    name, factor = max(((n, f) for n, f in scales.items() if n != "w" and value % f == 0), key=lambda scale: scale[1])
    text = f"{value / factor:.15g}"
    return text + {"kib": "KiB", "mib": "MiB", "gib": "GiB"}.get(name, name)


def _unit(kind: Any) -> str | None:  # Any: as above
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        return next((unit for part in typing.get_args(kind) if (unit := _unit(part))), None)
    metas = typing.get_args(kind)[1:] if typing.get_origin(kind) is Annotated else ()
    return next((m.extra["unit"] for m in metas if m.extra and "unit" in m.extra), None)


def _fields(group: Any) -> dict[str, Any] | None:  # Any: as above
    """Key -> type of a group; None when any key may stand there."""
    return typing.get_type_hints(group, include_extras=True) if _is_struct(group) else None


def _is_struct(kind: Any) -> bool:  # Any: as above
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def fitted(tree: Mapping[str, Any], group: Any, origin: str, path: tuple[str, ...]) -> dict[str, Any]:
    """*tree* with quantities as numbers; refuses unknown keys, naming the nearest."""
    known = _fields(group)
    result: dict[str, Any] = {}
    for key, value in tree.items():
        here = (*path, key)
        if known is not None and key not in known:
            raise SettingsError(f"{origin}: unknown setting {'.'.join(here)!r}{_nearest(key, known)}")
        kind = known[key] if known is not None else typing.get_args(group)[1]
        result[key] = _value(value, kind, origin, here)
    return result


def _value(value: Any, kind: Any, origin: str, path: tuple[str, ...]) -> Any:  # Any: raw TOML in, raw tree out
    inner = plain(kind)
    unit = _unit(kind)
    if isinstance(value, Mapping) and (_is_struct(inner) or typing.get_origin(inner) is dict):
        return fitted(value, inner, origin, path)
    if unit and isinstance(value, str):
        try:
            number = quantity(value, unit)
        except ValueError as error:
            raise SettingsError(f"{origin}: {'.'.join(path)}: {error}") from error
        value = int(number) if unit == "bytes" else number
    if _is_struct(inner) or typing.get_origin(inner) is dict:
        raise SettingsError(f"{origin}: {'.'.join(path)} is a group of settings, not {value!r}")
    try:
        return msgspec.to_builtins(converted(value, kind))
    except msgspec.ValidationError as error:
        raise SettingsError(f"{origin}: {'.'.join(path)}: {error}") from error


def chosen(tree: Mapping[str, Any], group: type[_G], origin: str, path: tuple[str, ...]) -> _G:
    """*tree* as a *group* that was chosen by name; its texts, as variables hold them, become what each setting wants.

    Raises: SettingsError naming the setting, and for an unknown one the nearest.
    """
    known = _fields(group) or {}
    literal = {
        key: _literal(value, known[key], ".".join((*path, key))) if isinstance(value, str) and key in known else value
        for key, value in tree.items()
    }
    try:
        return converted(fitted(literal, group, origin, path), group)
    except msgspec.ValidationError as error:
        raise SettingsError(f"{origin}: {'.'.join(path)}: {error}") from error


def put(tree: dict[str, Any], root: Any, name: str, value: str) -> None:
    """Put the variable *name* into *tree*; ``PERF_X_FILE`` reads the value of ``PERF_X`` from a file."""
    keys = name.removeprefix(PREFIX).lower().split("__")
    group = root
    node = tree
    for depth, key in enumerate(keys):
        known_here = _fields(group)
        if known_here is not None and key not in known_here:
            keys[depth] = key = _file_key(keys, depth, name, known_here)
            value = _file_text(name, value)
        kind = known_here[key] if known_here is not None else typing.get_args(group)[1]
        group = plain(kind)
        nested = _is_struct(group) or typing.get_origin(group) is dict
        if nested != (depth < len(keys) - 1):
            what = "is a group of settings" if nested else "has no settings below it"
            raise SettingsError(f"{name}: {'.'.join(keys[: depth + 1])} {what}")
        if not nested:
            node[key] = _value(_literal(value, kind, name), kind, name, tuple(keys))
            return
        node = node.setdefault(key, {})


def adopt(tree: dict[str, Any], env: Mapping[str, str]) -> None:
    """Put the `FOREIGN` variables of *env* where *tree* holds nothing. An address for gRPC is none of ours."""
    for name, (group, key) in FOREIGN.items():
        grpc = name.endswith("ENDPOINT") and "grpc" in env.get("OTEL_EXPORTER_OTLP_PROTOCOL", "")
        if env.get(name) and not grpc:
            tree.setdefault(group, {}).setdefault(key, env[name])


def _file_key(keys: list[str], depth: int, name: str, known: Mapping[str, Any]) -> str:
    """The setting meant by a last key such as ``path_file``."""
    stem = keys[depth].removesuffix("_file")
    if stem not in known or depth < len(keys) - 1:
        raise SettingsError(f"{name}: unknown setting {'.'.join(keys)!r}{_nearest(keys[depth], known)}")
    return stem


def _file_text(name: str, file: str) -> str:
    try:
        return Path(file).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise SettingsError(f"{name}: {file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{name}: {file}: not UTF-8") from error


def _literal(text: str, kind: Any, name: str) -> Any:  # Any: a raw setting of any type
    """The text of a variable as the builtin its setting wants."""
    if _unit(kind):
        return text
    if typing.get_origin(plain(kind)) is tuple:
        parts = [part.strip() for part in text.split(",") if part.strip()]
        return [_literal(part, typing.get_args(plain(kind))[0], name) for part in parts]
    try:
        return msgspec.to_builtins(converted(text, kind, strict=False))
    except msgspec.ValidationError as error:
        raise SettingsError(f"{name}: {error}") from error


def _nearest(key: str, known: Mapping[str, Any]) -> str:
    close = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else f"; known here: {', '.join(sorted(known))}"
