"""Query parameters, read strictly: an unknown, repeated or impossible one is an error that says what is known."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypeVar
from urllib.parse import unquote_to_bytes

from starlette.requests import Request

from perf import timerange
from perf.api.endpoint import Endpoint, Param
from perf.api.problem import ApiError
from perf.model import Aggregate, Window
from perf.ports import Clock

DEFAULT_FROM = "now-1h"
MAX_POINTS = 10_000
LONGEST = 1_000
"""Characters of a text."""
MOST = 50
"""Values of a parameter that may repeat."""
_E = TypeVar("_E")
_JSON = Mapping[str, Any]  # Any: JSON Schema


def text(name: str, help: str, *, many: bool = False, required: bool = False, longest: int = LONGEST) -> Param:
    """Any text up to *longest* characters."""
    return Param(name=name, schema={"type": "string", "maxLength": longest}, help=help, many=many, required=required)


def number(name: str, help: str, *, low: int, high: int, default: int | None = None) -> Param:
    """A whole number within [low, high]."""
    schema: dict[str, object] = {"type": "integer", "minimum": low, "maximum": high}
    if default is not None:
        schema["default"] = default
    return Param(name=name, schema=schema, help=help)


def choice(name: str, help: str, among: tuple[str, ...]) -> Param:
    """One of *among*."""
    return Param(name=name, schema={"type": "string", "enum": list(among)}, help=help)


def flag(name: str, help: str) -> Param:
    """Yes or no."""
    return choice(name, help, ("0", "1", "true", "false"))


QUERY = text(
    "query", "A question: `cpu_usage_percent`, `sum(rate(network_receive_bytes_total))`", many=True, required=True
)
FROM = Param(
    name="from",
    schema={"type": "string", "maxLength": 40, "default": DEFAULT_FROM},
    help="Start, included: `now-3h`, RFC 3339 with a zone, Unix seconds",
)
TO = Param(name="to", schema={"type": "string", "maxLength": 40, "default": "now"}, help="End, not included")
RANGE = (FROM, TO)
STEP = text("step", "Width of a step: `30s`, `5m`, or seconds", longest=20)
POINTS = number("max_points", "Steps at most", low=1, high=MAX_POINTS, default=400)
AGGREGATE = choice("aggregate", "For questions without a function over time", tuple(kind.value for kind in Aggregate))
CURSOR = text("cursor", "`next` of the page before")


def limit(most: int, default: int = 100) -> Param:
    """How many rows a page has."""
    return number("limit", "Rows at most", low=1, high=most, default=default)


def checked(request: Request, endpoint: Endpoint) -> None:
    """Raises: ApiError for parameters that *endpoint* does not take, lacks, or that are not what they should be."""
    decodable(request)
    if not endpoint.strict:
        return
    given = request.query_params
    table = {param.name: param for param in endpoint.query}
    for name in dict.fromkeys(given.keys()):
        if name not in table:
            known = ", ".join(sorted(table)) or "none"
            raise ApiError(400, f"unknown parameter {name[:40]!r}; known: {known}")
        _counted(name, given.getlist(name), table[name])
    for param in endpoint.query:
        if param.required and param.name not in given:
            raise ApiError(400, f"parameter {param.name!r} is missing: {param.help}")


def _counted(name: str, values: list[str], param: Param) -> None:
    """Raises: ApiError for values that are too many, or not what they should be."""
    most = MOST if param.many else 1
    if len(values) > most:
        raise ApiError(
            400, f"parameter {name!r} may come only once" if most == 1 else f"parameter {name!r} may come {most} times"
        )
    for value in values:
        _fits(name, value, param.schema)


def decodable(request: Request) -> None:
    """Raises: ApiError for an address that is not UTF-8."""
    for part in (request.scope.get("raw_path", b""), request.scope.get("query_string", b"")):
        try:
            unquote_to_bytes(part).decode()
        except UnicodeDecodeError as error:
            raise ApiError(400, "the address is not UTF-8") from error


class Params:
    """The parameters of *request*; only *single* and *many* are known, only *many* may come more than once.

    Without either those of the endpoint are meant, which routing has looked at already.
    """

    def __init__(self, request: Request, *, single: tuple[str, ...] | None = None, many: tuple[str, ...] = ()) -> None:
        self._query = request.query_params
        if single is None:
            return
        known = (*single, *many)
        for name in dict.fromkeys(self._query.keys()):
            if name not in known:
                raise ApiError(400, f"unknown parameter {name[:40]!r}; known: {', '.join(sorted(known))}")
            if name in single and len(self._query.getlist(name)) > 1:
                raise ApiError(400, f"parameter {name!r} may come only once")

    def text(self, name: str, default: str = "") -> str:
        """The parameter as text."""
        return self._query.get(name, default)

    def many(self, name: str) -> list[str]:
        """Every value of a parameter that may repeat."""
        return self._query.getlist(name)

    def flag(self, name: str) -> bool:
        """Whether a parameter is 1 or true."""
        return self.choice(name, {"": False, "0": False, "false": False, "1": True, "true": True})

    def number(self, name: str, default: int, *, low: int, high: int) -> int:
        """A whole number within [low, high]."""
        text = self._query.get(name)
        return default if text is None else _whole(name, text, low, high)

    def choice(self, name: str, table: dict[str, _E], default: str = "") -> _E:
        """One of the keys of *table*, as its value."""
        text = self._query.get(name, default)
        if text not in table:
            known = ", ".join(key for key in table if key)
            raise ApiError(400, f"parameter {name!r} is one of {known}, not {text[:40]!r}")
        return table[text]

    def aggregate(self) -> Aggregate | None:
        """The ``aggregate`` parameter; None when it isn't there."""
        return self.choice("aggregate", {"": None, **{kind.value: kind for kind in Aggregate}})

    def window(self, clock: Clock) -> Window:
        """``from`` (default an hour ago) to ``to`` (default now)."""
        return timerange.window(self.text("from", DEFAULT_FROM), self.text("to", "now"), clock.now())

    def step(self) -> float | None:
        """``step`` in seconds; None when it isn't there."""
        text = self._query.get("step")
        return None if text is None else timerange.duration(text)


def _fits(name: str, value: str, schema: _JSON) -> None:
    """Raises: ApiError when *value* is not what *schema* says."""
    if "\0" in value:
        raise ApiError(400, f"parameter {name!r} holds a NUL")
    if schema["type"] == "integer":
        _whole(name, value, schema["minimum"], schema["maximum"])
    elif "enum" in schema and value not in schema["enum"]:
        raise ApiError(400, f"parameter {name!r} is one of {', '.join(schema['enum'])}, not {value[:40]!r}")
    elif len(value) > schema.get("maxLength", LONGEST):
        raise ApiError(400, f"parameter {name!r} has at most {schema.get('maxLength', LONGEST):,} characters")


def _whole(name: str, text: str, low: int, high: int) -> int:
    # The length first: Python itself refuses to read a number of thousands of digits.
    if not re.fullmatch(r"[0-9]{1,18}", text) or not low <= int(text) <= high:
        raise ApiError(400, f"parameter {name!r} is a whole number from {low} to {high}, not {text[:40]!r}")
    return int(text)
