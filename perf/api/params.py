"""Query parameters, read strictly: an unknown or repeated one is an error that lists what is known."""

from __future__ import annotations

import re
from typing import TypeVar

from starlette.requests import Request

from perf import timerange
from perf.api.problem import ApiError
from perf.model import Aggregate, Window
from perf.ports import Clock

DEFAULT_FROM = "now-1h"
MAX_POINTS = 10_000
_E = TypeVar("_E")


class Params:
    """The parameters of *request*; only *single* and *many* are known, only *many* may come more than once."""

    def __init__(self, request: Request, *, single: tuple[str, ...], many: tuple[str, ...] = ()) -> None:
        self._query = request.query_params
        known = (*single, *many)
        for name in dict.fromkeys(self._query.keys()):
            if name not in known:
                raise ApiError(400, f"unknown parameter {name!r}; known: {', '.join(sorted(known))}")
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
        if text is None:
            return default
        # The length first: Python itself refuses to read a number of thousands of digits.
        if not re.fullmatch(r"[0-9]{1,18}", text) or not low <= int(text) <= high:
            raise ApiError(400, f"parameter {name!r} is a whole number from {low} to {high}, not {text[:40]!r}")
        return int(text)

    def choice(self, name: str, table: dict[str, _E], default: str = "") -> _E:
        """One of the keys of *table*, as its value."""
        text = self._query.get(name, default)
        if text not in table:
            known = ", ".join(key for key in table if key)
            raise ApiError(400, f"parameter {name!r} is one of {known}, not {text!r}")
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
