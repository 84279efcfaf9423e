"""`cached`: a function whose results a cache keeps. It detects coroutine functions."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from functools import partial, update_wrapper
from typing import Any, Literal, ParamSpec, Protocol, TypeVar, overload

from perf.cache.cache import Cache
from perf.cache.entry import Entry
from perf.cache.hits import afast, fast
from perf.cache.keys import FunctionKeys
from perf.cache.options import EntryOptions, changed
from perf.cache.requests import Request
from perf.cache.threaded import function_tag
from perf.errors import CacheError
from perf.model import FunctionCounts

Scope = Literal["global", "session"]

_P = ParamSpec("_P")
_R = TypeVar("_R")
_R_co = TypeVar("_R_co", covariant=True)


class Cached(Protocol[_P, _R_co]):
    """A decorated function; those of its methods that take arguments take its own."""

    __wrapped__: Callable[..., Any]
    key_for: Callable[_P, str]
    """The full key of a call."""
    peek: Callable[_P, Entry | None]
    """What memory holds for a call, stale or not; never runs the function."""
    invalidate: Callable[_P, bool]
    """Forget the result of a call, in every tier and process; whether memory held it. All calls: ``cache.invalidate(function=f)``."""
    stats: Callable[[], FunctionCounts]

    def __call__(self, *args: _P.args, **kwargs: _P.kwargs) -> _R_co:
        """The result, from the cache if it is there."""

    def refresh(self, *args: _P.args, **kwargs: _P.kwargs) -> _R_co:
        """Run the function now, and keep its result."""

    def bypass(self, *args: _P.args, **kwargs: _P.kwargs) -> _R_co:
        """Run the function, and keep nothing."""


@overload
def cached(function: Callable[_P, _R], /) -> Cached[_P, _R]: ...


@overload
def cached(
    *,
    key: Callable[..., str] | None = None,
    tags: Iterable[str] = (),
    scope: Scope = "global",
    cache: Cache | None = None,
    **options: Any,  # Any: see EntryOptions
) -> Callable[[Callable[_P, _R]], Cached[_P, _R]]: ...


def cached(
    function: Callable[..., Any] | None = None,
    /,
    *,
    key: Callable[..., str] | None = None,
    tags: Iterable[str] = (),
    scope: Scope = "global",
    cache: Cache | None = None,
    **options: Any,
) -> Any:  # a decorator or a decorated function
    """Keep the results of a function or coroutine function, by its arguments.

    *key* makes the key of a call from its arguments; without it they all count, by value. *cache* is the process's own by default,
    found at the first call. *scope* ``session``: a cache for each Streamlit session. *options* are fields of `EntryOptions`.

    Raises: CacheError for a wrong option; at a call, for an argument that can't be part of a key.
    """
    if isinstance(tags, str):
        raise CacheError(f"tags is a list of names, not the text {tags!r}")
    if scope not in ("global", "session"):
        raise CacheError(f"no scope {scope!r}; known: global, session")
    if scope == "session" and cache is not None:
        raise CacheError("scope='session' finds its own cache: leave out cache=")
    if tags:
        options["tags"] = tuple(tags)
    changed(EntryOptions(), **options)
    decorate = partial(_decorated, key=key, options=options, scope=scope, cache=cache)
    return decorate if function is None else decorate(function)


class _Bound:
    """A function and the cache that keeps its results."""

    def __init__(
        self, function: Callable[..., Any], cache: Cache, key: Callable[..., str] | None, options: dict[str, Any]
    ) -> None:
        self.function = function
        self.cache = cache
        self.tally = cache.counts.function(f"{function.__module__}.{function.__qualname__}")
        if key is None:
            made = FunctionKeys(cache.namespace, cache.version, function)
            self.keys: Callable[[Any, Any], str] = made
            self._of_text: Callable[[str], str | None] = made.of_text
        else:
            given, full = key, cache.names.key
            options = {**options, "tags": (*options.get("tags", ()), function_tag(function))}
            self.keys = lambda args, kwargs: full(given(*args, **kwargs))
            self._of_text = lambda text: full(given(text))
        self.options = cache.options(**options)

    def parts(self) -> tuple[object, ...]:
        """What a hit needs."""
        local = self.cache.local
        news = local.changed if local.hears else None
        return (
            self.keys,
            self._of_text,
            local.clock.monotonic,
            news,
            self.tally.hits.tick,
            local.fences,
            local.memory.look,
        )

    def request(self, args: Any, kwargs: Any) -> Request:
        """The question that a call asks."""
        return Request(self.keys(args, kwargs), self.options, self.tally)

    def value(self, args: Any, kwargs: Any) -> Any:
        """The result of a call that isn't a plain hit."""
        request = self.request(args, kwargs)
        return self.cache.loader.value(request, partial(self.function, *args, **kwargs))

    async def avalue(self, args: Any, kwargs: Any) -> Any:
        """Likewise."""
        request = self.request(args, kwargs)
        return await self.cache.aloader.value(request, partial(self.function, *args, **kwargs))

    def refresh(self, args: Any, kwargs: Any) -> Any:
        """Run it now; a coroutine when it is one."""
        loader = self.cache.aloader if inspect.iscoroutinefunction(self.function) else self.cache.loader
        return loader.renew(self.request(args, kwargs), partial(self.function, *args, **kwargs))


def _decorated(
    function: Callable[..., Any],
    *,
    key: Callable[..., str] | None,
    options: dict[str, Any],
    scope: Scope,
    cache: Cache | None,
) -> Any:
    if isinstance(function, (classmethod, staticmethod)):
        inner = _decorated(function.__func__, key=key, options=options, scope=scope, cache=cache)
        return type(function)(inner)
    if inspect.isasyncgenfunction(function) or inspect.isgeneratorfunction(function):
        raise CacheError(f"{function.__qualname__} is a generator: what it yields is gone after the first caller")
    is_async = inspect.iscoroutinefunction(function)
    if scope == "session":
        find: Callable[[], _Bound] = partial(_session_bound, function, key, options)
        call = _acall(find) if is_async else _call(find)
    else:
        find = _Once(function, cache, key, options)
        call = afast(find) if is_async else fast(find)
    return _with_methods(update_wrapper(call, function), function, find)


class _Once:
    """Binds to the cache at the first call, not when the module is imported."""

    def __init__(
        self, function: Callable[..., Any], cache: Cache | None, key: Callable[..., str] | None, options: dict[str, Any]
    ) -> None:
        self._made: _Bound | None = None
        self._make: Callable[[], _Bound] = lambda: _Bound(function, cache or _own_cache(), key, options)

    def __call__(self) -> _Bound:
        """The function with its cache."""
        made = self._made
        if made is None:
            made = self._made = self._make()
        return made


def _own_cache() -> Cache:
    from perf.cache.manager import get_cache_manager

    return get_cache_manager().cache


def _session_bound(function: Callable[..., Any], key: Callable[..., str] | None, options: dict[str, Any]) -> _Bound:
    from perf.cache.tiers.session import session_cache

    return _Bound(function, session_cache(), key, options)


def _with_methods(call: Any, function: Callable[..., Any], find: Callable[[], _Bound]) -> Any:
    call.key_for = lambda *args, **kwargs: find().keys(args, kwargs)
    call.peek = lambda *args, **kwargs: find().cache.peek(find().keys(args, kwargs))
    call.invalidate = lambda *args, **kwargs: find().cache.delete(find().keys(args, kwargs))
    call.refresh = lambda *args, **kwargs: find().refresh(args, kwargs)
    call.bypass = function
    call.stats = lambda: find().tally.counts()
    return call


def _call(find: Callable[[], _Bound]) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        return find().value(args, kwargs)

    return call


def _acall(find: Callable[[], _Bound]) -> Callable[..., Any]:
    async def call(*args: Any, **kwargs: Any) -> Any:
        return await find().avalue(args, kwargs)

    return call
