"""The Redis tier against a bare socket, redis-py and cashews; the breaker while it is open; and how soon an invalidation is seen.

python -m tests.bench.bench_cache_redis
"""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

import redis as client
from cashews import Cache
from redis.backoff import NoBackoff
from redis.retry import Retry

from perf.cache.backplane.host import HostBackplane
from perf.cache.breaker import Breaker
from perf.cache.envelope import seal, unseal
from perf.cache.guarded import Guarded
from perf.cache.options import EntryOptions
from perf.cache.tiers.redis import RedisTier
from perf.cache.tiers.wire import Links, packed
from perf.clock import SystemClock
from perf.model import Held, Said
from tests import services

ROUNDS = 120
"""Many short ones: on a shared machine a long one is never undisturbed."""
SECRET = b"0123456789abcdef0123456789abcdef"
LIMIT = 64 * 2**20
PINGS = 300
ECHO = """
import sys
from tests.bench.bench_cache_redis import OVER
say, hear = OVER[sys.argv[1]](sys.argv[2], "there", "back")
print("ready", flush=True)
while True:
    hear(60.0)
    say()
"""
NAME = "k:default:1:module.function:0123456789abcdef"

Talk = tuple[Callable[[], object], Callable[[float], bool]]
"""How to say something, and how to wait for it (seconds)."""


def over_host(path: str, _: str, __: str) -> Talk:
    """Through the ring in a mapped file, looked at again and again, as every hit does."""
    backplane = HostBackplane(Path(path))

    def hear(seconds: float) -> bool:
        end = perf_counter() + seconds
        while perf_counter() < end:
            if backplane.changed() and backplane.heard():
                return True
        return False

    return lambda: backplane.announce(Said((NAME,))), hear


def over_redis(url: str, inbox: str, outbox: str) -> Talk:
    """Through plain pub/sub, waited for in the kernel: what Redis itself takes."""
    links = Links(url, 5.0)
    ear = links.link()
    ear.exchange(packed((b"SUBSCRIBE", inbox.encode())), 1, 5.0)
    message = packed((b"PUBLISH", outbox.encode(), NAME.encode()))
    return lambda: links.ask(message, 1), lambda seconds: ear.receive(seconds) is not None


OVER = {"host": over_host, "redis": over_redis}


def best(calls: dict[str, Callable[[], object]], number: int) -> dict[str, float]:
    """Microseconds a call: rounds interleaved, minimum of each."""
    found = dict.fromkeys(calls, float("inf"))
    for _ in range(ROUNDS):
        for name, call in calls.items():
            call()
            began = perf_counter()
            for _ in range(number):
                call()
            found[name] = min(found[name], (perf_counter() - began) / number * 1e6)
    return found


def raw(port: int, key: bytes, size: int) -> Callable[[], bytes]:
    """GET on a bare socket, for a value of *size* bytes."""
    connection = socket.create_connection(("127.0.0.1", port))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    command = b"*2\r\n$3\r\nGET\r\n$%d\r\n%s\r\n" % (len(key), key)
    whole = size + len(b"$%d\r\n" % size) + 2

    def get() -> bytes:
        connection.sendall(command)
        chunks: list[bytes] = []
        missing = whole
        while missing:
            chunks.append(connection.recv(min(missing, 65_536)))
            missing -= len(chunks[-1])
        return b"".join(chunks)

    return get


def hits(port: int, size: int, number: int) -> dict[str, float]:
    """Microseconds of one hit of a value of *size* bytes, the floor first."""
    url = f"redis://127.0.0.1:{port}"
    value, options = os.urandom(size), EntryOptions()
    plain = client.Redis(port=port, retry=Retry(NoBackoff(), 0), protocol=2)
    plain.set("plain", value)
    tier = RedisTier(url, timeout=5.0)
    sealed = seal(value, "key", options=options, secret=SECRET, load_seconds=0.1, negative=False)
    tier.write("key", Held(sealed, 300.0, 300.0), (), None)
    tier.write("tagged", Held(sealed, 300.0, 300.0), ("a", "b"), None)
    clock = SystemClock()
    guarded = Guarded(tier, Breaker(clock), clock, options)
    loop = asyncio.new_event_loop()
    cashews = Cache()
    cashews.setup(url, secret=SECRET.decode(), digestmod="sha1")
    loop.run_until_complete(cashews.set("cashews", value))

    def enveloped() -> object:
        held = guarded.read("key")
        assert held is not None
        return unseal(held.data, "key", secret=SECRET, limit=LIMIT)

    async def many(count: int) -> None:
        for _ in range(count):
            await cashews.get("cashews")

    found = best(
        {
            "raw socket GET": raw(port, b"plain", size),
            "redis-py get": lambda: plain.get("plain"),
            "tier": lambda: tier.read("key"),
            "tier, two tags": lambda: tier.read("tagged"),
            "tier, guarded, enveloped": enveloped,
        },
        number,
    )
    found["cashews, signed"] = min(
        best({"": lambda: loop.run_until_complete(many(number))}, 1)[""] / number for _ in range(2)
    )
    loop.run_until_complete(cashews.close())
    loop.close()
    return found


def opened() -> dict[str, float]:
    """Microseconds that a dead Redis costs a call, dict.get first."""
    clock, number = SystemClock(), 5_000
    guarded = Guarded(
        RedisTier(f"redis://127.0.0.1:{services.free_port()}"), Breaker(clock, rest=60.0), clock, EntryOptions()
    )
    while guarded.state != "open":
        guarded.read("key")
    plain = {"key": 1}
    with TemporaryDirectory() as folder:
        backplane = HostBackplane(Path(folder) / "ring")
        found = best(
            {
                "dict.get": lambda: plain.get("key"),
                "breaker open, read": lambda: guarded.read("key"),
                "backplane asked": backplane.changed,  # As a hit does, which has it in a variable.
                "nothing": lambda: None,
            },
            number,
        )
    nothing = found.pop("nothing")
    # What is asked for directly pays no call of a lambda.
    return {name: cost - nothing * (name != "backplane asked") for name, cost in found.items()}


def seen(port: int) -> dict[str, float]:
    """Microseconds, p50: half of the way there and back, between two processes that do nothing else."""
    times: dict[str, float] = {}
    with TemporaryDirectory() as folder:
        for what, where in (("host", f"{folder}/ring"), ("redis", f"redis://127.0.0.1:{port}")):
            say, hear = OVER[what](where, "back", "there")
            command = [sys.executable, "-c", ECHO, what, where]
            echo = subprocess.Popen(command, env=services.environment(), stdout=subprocess.PIPE)
            assert echo.stdout is not None
            echo.stdout.readline()
            times[what] = median(_there_and_back(say, hear) for _ in range(PINGS)) / 2 * 1e6
            echo.kill()
            echo.communicate()
    return times


def _there_and_back(say: Callable[[], object], hear: Callable[[float], bool]) -> float:
    began = perf_counter()
    say()
    assert hear(5.0)
    return perf_counter() - began


def show(found: dict[str, float], floor: str, what: str) -> None:
    """Rows of the table."""
    for name, cost in found.items():
        print(f"| {what}{name} | {cost:.3g} us | {cost / found[floor]:.2f}x |")


def main() -> None:
    """Print the tables."""
    print("| Redis | cost | ratio |\n|---|---|---|")
    with services.redis() as port:
        for size, number in ((1_024, 30), (1 << 20, 2)):
            show(hits(port, size, number), "raw socket GET", f"{size:,} bytes: ")
        show(seen(port), "redis", "seen by another process: ")
    show(opened(), "dict.get", "")


if __name__ == "__main__":
    main()
