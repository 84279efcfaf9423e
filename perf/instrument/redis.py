"""redis-py clients that record their commands: synchronous and asynchronous, pipelines included; clusters are left alone.

instrument(client)

Keys and values are never looked at, except whether a read found something.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, TypeVar

from perf.errors import PerfError
from perf.instrument.queries import Queries, Query, awaited, called, like
from perf.instrument.statements import OTHER, Statement
from perf.model import Kind, Metric
from perf.record import Recorder, current

REQUESTS = Metric("cache_requests_total", Kind.COUNTER, "1", "Reads of a cache, by whether they found something.")
SYSTEM = "redis"

_Client = TypeVar("_Client")

_READS = frozenset({"GET", "GETEX", "GETDEL", "HGET", "HGETALL", "JSON.GET"})
_MANY = frozenset({"MGET", "HMGET", "JSON.MGET"})
_WAITING = frozenset({"BLPOP", "BRPOP", "BLMOVE", "BRPOPLPUSH", "BLMPOP", "BZPOPMIN", "BZPOPMAX", "BZMPOP", "WAIT", "WAITAOF",
                      "MONITOR", "SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE"})  # fmt: skip
_STREAMS = frozenset({"XREAD", "XREADGROUP"})
"""Wait when they are told to."""
_FAMILIES = frozenset({"ACL", "CLIENT", "CLUSTER", "COMMAND", "CONFIG", "DEBUG", "FUNCTION", "LATENCY", "MEMORY", "MODULE",
                       "OBJECT", "PUBSUB", "SCRIPT", "SENTINEL", "SLOWLOG", "XGROUP", "XINFO"})  # fmt: skip
"""Commands whose second word says what they do."""
_NAME = re.compile(r"[A-Z][A-Z0-9._-]{0,30}")


class ClientError(PerfError):
    """A client isn't one of those that can be recorded."""


def instrument(client: _Client, recorder: Recorder | None = None, *, cache: str = SYSTEM) -> _Client:
    """*client*, which records every command and every pipeline from now on; *cache* is its name among the caches.

    Again, it changes nothing. *recorder* defaults to the process's own. Raises: ClientError; RecordError.
    """
    import redis  # whoever has a client has it
    from redis.asyncio import Redis as AsyncRedis

    if not isinstance(client, redis.Redis | AsyncRedis):
        raise ClientError(
            f"no recording for {type(client).__module__}.{type(client).__name__}; known: Redis of redis-py"
        )
    if not hasattr(client, "perf_recorded"):
        _become(client, _client_class, _Commands(recorder or current(), cache))
    return client


def uninstrument(client: _Client) -> _Client:
    """*client*, as it was before `instrument`."""
    if hasattr(client, "perf_recorded"):
        _become(client, lambda base, _: base.__base__, None)
    return client


@lru_cache(maxsize=1000)
def command(word: object) -> str:
    """The name of a command by its first argument: upper case, at most two words, never a key."""
    text = word.decode("ascii", "replace") if isinstance(word, bytes) else str(word)
    words = text.upper().split()[:2]
    if not words or not _NAME.fullmatch(words[0]):
        return OTHER
    family = len(words) > 1 and words[0] in _FAMILIES and _NAME.fullmatch(words[1])
    return " ".join(words) if family else words[0]


class _Commands:
    """What the commands of one client are recorded as."""

    def __init__(self, recorder: Recorder, cache: str) -> None:
        self._queries = Queries(recorder, SYSTEM, kind="cache")
        self._hit = recorder.counter(REQUESTS, {"cache": cache, "result": "hit", "tier": SYSTEM})
        self._miss = recorder.counter(REQUESTS, {"cache": cache, "result": "miss", "tier": "load"})

    def query(self, name: str) -> Query:
        """The watch of the command *name*."""
        return self._queries.known(Statement(operation=name, collection="", summary=name))

    def counted(self, names: Sequence[str], results: Any) -> Any:
        """*results* of the commands *names*, with what the reads among them found counted."""
        for name, result in zip(names, results, strict=False):
            if not isinstance(result, Exception):
                self.count(name, result)
        return results

    def count(self, name: str, result: Any) -> None:
        """Count what a read found; a hash without fields doesn't exist."""
        if name in _READS:
            (self._miss if result is None or result == {} or result == [] else self._hit).add()
        elif name in _MANY and isinstance(result, list):
            for each in result:
                (self._miss if each is None else self._hit).add()


def _become(thing: Any, make: Callable[[Any, Any], Any], commands: _Commands | None) -> Any:  # redis-py's own
    """*thing*, now of the class that *make* makes of its own."""
    thing.__class__ = make(type(thing), commands)
    return thing


@lru_cache(maxsize=100)
def _client_class(base: Any, commands: _Commands) -> Any:  # redis-py's clients
    """*base* with its commands recorded."""

    class Client(base):  # type: ignore[misc]  # made for each base
        perf_recorded = True

        def execute_command(self, *args: Any, **options: Any) -> Any:
            name = command(args[0]) if args else OTHER
            if _waits(name, args):
                return base.execute_command(self, *args, **options)
            result = called(commands.query(name), base.execute_command, self, args, options)
            commands.count(name, result)
            return result

        def pipeline(self, *args: Any, **kwargs: Any) -> Any:
            return _become(base.pipeline(self, *args, **kwargs), _pipeline_class, commands)

    class AsyncClient(base):  # type: ignore[misc]  # made for each base
        perf_recorded = True

        async def execute_command(self, *args: Any, **options: Any) -> Any:
            name = command(args[0]) if args else OTHER
            if _waits(name, args):
                return await base.execute_command(self, *args, **options)
            result = await awaited(commands.query(name), base.execute_command, self, args, options)
            commands.count(name, result)
            return result

        def pipeline(self, *args: Any, **kwargs: Any) -> Any:
            return _become(base.pipeline(self, *args, **kwargs), _pipeline_class, commands)

    return like(AsyncClient if inspect.iscoroutinefunction(base.execute_command) else Client, base)


@lru_cache(maxsize=100)
def _pipeline_class(base: Any, commands: _Commands) -> Any:  # redis-py's pipelines
    """*base*, whose execution is recorded as one call, and what the reads in it found one by one."""

    class Pipeline(base):  # type: ignore[misc]  # made for each base
        def execute(self, *args: Any, **kwargs: Any) -> Any:
            names = [command(each[0][0]) for each in self.command_stack]
            if not names:
                return base.execute(self, *args, **kwargs)
            return commands.counted(names, called(commands.query("PIPELINE"), base.execute, self, args, kwargs))

    class AsyncPipeline(base):  # type: ignore[misc]  # made for each base
        async def execute(self, *args: Any, **kwargs: Any) -> Any:
            names = [command(each[0][0]) for each in self.command_stack]
            if not names:
                return await base.execute(self, *args, **kwargs)
            return commands.counted(names, await awaited(commands.query("PIPELINE"), base.execute, self, args, kwargs))

    return like(AsyncPipeline if inspect.iscoroutinefunction(base.execute) else Pipeline, base)


def _waits(name: str, args: Sequence[object]) -> bool:
    """Whether the command waits for others: its time says nothing of the server's."""
    return name in _WAITING or (name in _STREAMS and any(each in ("BLOCK", b"BLOCK") for each in args[1:8]))
