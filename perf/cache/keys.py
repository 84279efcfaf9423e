"""The key of a call: namespace, version, function and a hash of its arguments that tells 1, 1.0, True and "1" apart."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import xxhash

from perf.cache.canonical import canonical
from perf.errors import CacheError

_MEMORY = 4_096
"""Calls with simple arguments whose keys a function remembers."""

_SIMPLE: frozenset[type] = frozenset({str, int, bool, type(None), bytes})
"""Types whose values, with the type, say all: not float, where 0.0 equals -0.0."""


class FunctionKeys:
    """Makes the keys of one function. It remembers those of calls with simple arguments.

    Arguments count by parameter, defaults included: ``f(1)``, ``f(a=1)`` and ``f(1, b=2)`` with b's default 2 have one key.
    """

    __slots__ = ("_bare", "_calls", "_signature", "_texts", "prefix")

    def __init__(self, namespace: str, version: str, function: Callable[..., object]) -> None:
        self.prefix = f"{namespace}:{version}:{_name(function)}:"
        self._signature = _signature(function)
        self._texts: dict[str, str] = {}
        self._calls: dict[tuple[object, ...], str] = {}
        self._bare = ""

    @property
    def of_text(self) -> Callable[[str], str | None]:
        """The key of a call with one text, if it is remembered: for who can't afford a call of this object."""
        return self._texts.get

    def __call__(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
        """The key of the call with *args* and *kwargs*.

        Raises: CacheError for an argument that is known by its identity only.
        """
        if kwargs:
            return self._named(args, kwargs)
        if not args:
            return self._bare or self._empty()
        if len(args) == 1 and type(args[0]) is str:
            # The most frequent call gets a dict of its own: no tuple to make and hash.
            return self._texts.get(args[0]) or self._text(args)
        if not _SIMPLE.issuperset(map(type, args)):
            return self._made(args, kwargs)
        call = (*args, *map(type, args))
        return self._calls.get(call) or self._remember(self._calls, call, self._made(args, kwargs))

    def _empty(self) -> str:
        self._bare = self._made((), {})
        return self._bare

    def _text(self, args: tuple[Any, ...]) -> str:
        return self._remember(self._texts, args[0], self._made(args, {}))

    def _named(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
        given = (*args, *kwargs.values())
        if not _SIMPLE.issuperset(map(type, given)):
            return self._made(args, kwargs)
        # A dict keeps the order in which names were written: another order is another call, with the same key.
        call = (len(args), *given, *map(type, given), *kwargs)
        return self._calls.get(call) or self._remember(self._calls, call, self._made(args, kwargs))

    def _made(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
        call = _bound(self._signature, args, kwargs)
        try:
            text = canonical(call)
        except CacheError as error:
            raise CacheError(f"{self.prefix[:-1]}: {error}; give the decorator key=") from error
        return f"{self.prefix}{xxhash.xxh3_128_hexdigest(text)}"

    def _remember(self, memory: dict[Any, str], call: Any, key: str) -> str:
        if len(memory) >= _MEMORY:
            memory.clear()
        memory[call] = key
        return key


def key_for(
    namespace: str, version: str, function: Callable[..., object], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> str:
    """``namespace:version:module.function:`` and the hash of the arguments.

    Raises: CacheError for an argument that is known by its identity only.
    """
    return _keys(namespace, version, function)(args, kwargs)


@functools.lru_cache(maxsize=1024)
def _keys(namespace: str, version: str, function: Callable[..., object]) -> FunctionKeys:
    return FunctionKeys(namespace, version, function)


def _name(function: Callable[..., object]) -> str:
    plain = inspect.unwrap(function)
    named = plain if hasattr(plain, "__qualname__") else type(plain)
    return f"{named.__module__}.{named.__qualname__}"


def _signature(function: Callable[..., object]) -> inspect.Signature | None:
    try:
        return inspect.signature(function)
    except (TypeError, ValueError):
        return None  # some functions written in C don't tell


def _bound(signature: inspect.Signature | None, args: tuple[Any, ...], kwargs: dict[str, Any]) -> object:
    """Arguments by parameter, or as they were given when they don't fit: the call itself will say so."""
    if signature is not None:
        try:
            call = signature.bind(*args, **kwargs)
        except TypeError:
            return args, kwargs
        call.apply_defaults()
        return call.arguments
    return args, kwargs
