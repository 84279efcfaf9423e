"""The hit of a decorated function, which is what a cache does most: a dozen steps, none of them a function of ours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, cast

_MOST_HITS = 3
"""As far as the memory tier counts."""


class Bound(Protocol):
    """A function and the cache that keeps its results."""

    def parts(self) -> tuple[Any, ...]:  # functions of several kinds
        """What a hit needs: keys, of_text, monotonic, news, tick, fences, look."""

    def value(self, args: Any, kwargs: Any) -> Any:  # any signature
        """The result of a call that isn't a plain hit."""

    async def avalue(self, args: Any, kwargs: Any) -> Any:  # any signature
        """Likewise."""


# A hit costs as much as fourteen dict.get, of which a helper would take three more, so its body stands here twice. What it takes from
# outside is bound at the first call; until then there is nothing to find. A call with one text, the most frequent, finds its key
# inline: that is worth five.


def _nothing(key: object, kwargs: object = None) -> Any:
    """What memory holds before the first call."""


def fast(find: Callable[[], Bound]) -> Callable[..., Any]:
    """A function that answers hits itself, and gives the rest to what *find* finds."""
    keys: Any = _nothing
    of_text: Any = _nothing
    look: Any = _nothing
    monotonic = news = tick = fences = slow = cast(Any, None)

    def bind(args: Any, kwargs: Any) -> Any:
        nonlocal keys, of_text, look, monotonic, news, tick, fences, slow
        bound = find()
        keys, of_text, monotonic, news, tick, fences, found = bound.parts()
        slow, look = bound.value, found  # look last: from then on other threads use the rest.
        return slow(args, kwargs)

    slow = bind

    def call(*args: Any, **kwargs: Any) -> Any:
        if kwargs or len(args) != 1 or type(args[0]) is not str:
            node = look(keys(args, kwargs))
        else:
            node = look(of_text(args[0]))
        if node is not None:
            entry = node.entry
            if (
                entry.plain_until > monotonic()
                and (news is None or not news())
                and (not entry.tags or entry.marks[0] >= fences.tag_mark or fences.valid(entry))
            ):
                if node.hits < _MOST_HITS:
                    node.hits += 1
                tick()
                copier = entry.copier
                return entry.value if copier is None else copier(entry.value)
        return slow(args, kwargs)

    return call


def afast(find: Callable[[], Bound]) -> Callable[..., Any]:
    """The same as a coroutine function."""
    keys: Any = _nothing
    of_text: Any = _nothing
    look: Any = _nothing
    monotonic = news = tick = fences = slow = cast(Any, None)

    async def bind(args: Any, kwargs: Any) -> Any:
        nonlocal keys, of_text, look, monotonic, news, tick, fences, slow
        bound = find()
        keys, of_text, monotonic, news, tick, fences, found = bound.parts()
        slow, look = bound.avalue, found  # look last: from then on other threads use the rest.
        return await slow(args, kwargs)

    slow = bind

    async def call(*args: Any, **kwargs: Any) -> Any:
        if kwargs or len(args) != 1 or type(args[0]) is not str:
            node = look(keys(args, kwargs))
        else:
            node = look(of_text(args[0]))
        if node is not None:
            entry = node.entry
            if (
                entry.plain_until > monotonic()
                and (news is None or not news())
                and (not entry.tags or entry.marks[0] >= fences.tag_mark or fences.valid(entry))
            ):
                if node.hits < _MOST_HITS:
                    node.hits += 1
                tick()
                copier = entry.copier
                return entry.value if copier is None else copier(entry.value)
        return await slow(args, kwargs)

    return call
