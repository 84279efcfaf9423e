"""The cache: memory first, then the outer tiers, then the factory, once for all who ask; for threads and for event loops."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, TypeVar, cast

from perf.cache.threaded import Threaded

_T = TypeVar("_T")


class Cache(Threaded):
    """A cache in tiers: see `Threaded`, whose methods have here their twins for event loops, with an ``a`` before the name."""

    async def aget(self, key: str, default: Any = None) -> Any:  # Any: whatever was stored
        """`get`."""
        held = self.local.lookup(self.names.key(key)) is not None
        return self.get(key, default) if held else await _run(self, lambda: self.get(key, default))

    async def aget_many(self, keys: Iterable[str]) -> dict[str, Any]:  # Any: whatever was stored
        """`get_many`."""
        return await _run(self, lambda: self.get_many(keys))

    async def aget_or_set(
        self, key: str, factory: Callable[[], Awaitable[_T]] | Callable[[], _T], **options: Any
    ) -> _T:  # Any: see EntryOptions
        """`get_or_set`; *factory* is a coroutine function, or a plain one, which then runs in a thread."""
        return cast(_T, await self.aloader.value(self.request(key, options), factory))

    async def aset(self, key: str, value: object, **options: Any) -> None:  # Any: see EntryOptions
        """`set`."""
        await _run(self, lambda: self.set(key, value, **options))

    async def aset_many(self, values: Mapping[str, object], **options: Any) -> None:  # Any: see EntryOptions
        """`set_many`."""
        await _run(self, lambda: self.set_many(values, **options))

    async def adelete(self, key: str) -> bool:
        """`delete`."""
        return await _run(self, lambda: self.delete(key))

    async def aexpire(self, key: str) -> bool:
        """`expire`."""
        return await _run(self, lambda: self.expire(key))

    async def aclear(self) -> None:
        """`clear`."""
        await _run(self, self.clear)

    async def ainvalidate(self, **what: Any) -> int:  # Any: see `Threaded.invalidate`
        """`invalidate`."""
        return await _run(self, lambda: self.invalidate(**what))

    async def awarm(
        self, factories: Iterable[tuple[str, Callable[[], object]]], *, concurrency: int = 1, **options: Any
    ) -> int:  # Any: see EntryOptions
        """`warm`; factories may be coroutine functions."""
        turns = asyncio.Semaphore(max(1, concurrency))

        async def one(key: str, factory: Callable[[], object]) -> bool:
            async with turns:
                try:
                    await self.aget_or_set(key, factory, **options)
                except Exception:  # noqa: BLE001 - the edge: the factory is the host's; its failure is counted and an event.
                    return False
                return True

        return sum(await asyncio.gather(*(one(key, factory) for key, factory in factories)))

    async def aclose(self, grace: float = 2.0) -> None:
        """`close`."""
        await asyncio.to_thread(self.close, grace)


async def _run(cache: Cache, call: Callable[[], _T]) -> _T:
    return await asyncio.to_thread(call) if cache.outer.tiers else call()
