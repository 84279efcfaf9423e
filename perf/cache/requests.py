"""What is asked of a cache, and what it answers."""

from __future__ import annotations

import msgspec

from perf.cache.options import EntryOptions
from perf.cache.stats import FunctionTally


class Request(msgspec.Struct, frozen=True):
    """One question. Its options have the full names of its tags."""

    key: str
    options: EntryOptions
    function: FunctionTally


class Answer(msgspec.Struct, frozen=True):
    """Its answer."""

    value: object
