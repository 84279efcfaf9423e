"""The Redis tier on a real server: what it holds, by whose clock, and what makes it untrue."""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Iterator
from time import perf_counter

import pytest
import redis as client

from perf.cache.breaker import Breaker
from perf.cache.guarded import NO_FENCE, Guarded
from perf.cache.options import EntryOptions
from perf.cache.tiers.redis import RedisTier
from perf.clock import ManualClock
from perf.model import Held
from tests import services
from tests.services import eventually

PATIENT = 60.0
"""The timeout: the server is well, and shall not seem slow because the machine is busy."""


def held(data: bytes = b"value", fresh: float = 100.0, stale: float = 200.0) -> Held:
    return Held(data, fresh, stale)


@pytest.fixture(scope="module")
def server() -> Iterator[int]:
    with services.redis() as port:
        yield port


@pytest.fixture
def tier(server: int) -> Iterator[RedisTier]:
    with client.Redis(port=server) as connection:
        connection.flushall()
    made = RedisTier(f"redis://127.0.0.1:{server}/0", timeout=PATIENT)
    yield made
    made.close()


def test_gives_back_what_it_was_given(tier: RedisTier) -> None:
    data = bytes(range(256)) * 4
    assert tier.read("a") is None
    began = perf_counter()
    assert tier.write("a", held(data), (), None)
    found = tier.read("a")
    passed = perf_counter() - began
    assert found is not None
    assert found.data == data
    assert 99 - passed < found.fresh <= 100
    assert 199 - passed < found.stale <= 200


@pytest.mark.parametrize("size", [0, 1, 65_000, 65_536, 1 << 20, 5_000_000])
def test_holds_any_size(tier: RedisTier, size: int) -> None:
    data = os.urandom(size)
    assert tier.write("a", held(data), ("x",), None)
    found = tier.read("a")
    assert found is not None
    assert found.data == data
    assert tier.read("b") is None  # The connection is where it should be.


def test_a_value_may_be_stale_already_or_hold_for_ever(tier: RedisTier) -> None:
    began = perf_counter()
    tier.write("stale", held(fresh=-5.0, stale=100.0), (), None)
    stale = tier.read("stale")
    assert stale is not None
    assert -6 - (perf_counter() - began) < stale.fresh < -4.9
    tier.write("ever", held(fresh=math.inf, stale=math.inf), (), None)
    ever = tier.read("ever")
    assert ever == Held(b"value", math.inf, math.inf)
    assert not tier.write("gone", held(stale=0.0), (), None)


def test_gone_when_its_time_is_up(tier: RedisTier) -> None:
    tier.write("a", held(fresh=0.05, stale=0.1), (), None)
    eventually(lambda: tier.read("a") is None, every=0.01)


def test_clocks_of_the_nodes_do_not_matter(server: int) -> None:
    """The tier asks no clock at all: a node whose clock is five minutes off sees the same ages."""
    writer, reader = (RedisTier(f"redis://127.0.0.1:{server}", timeout=PATIENT) for _ in range(2))
    clock = ManualClock()
    clock.jump(-300.0)
    guarded = Guarded(reader, Breaker(clock), clock, EntryOptions())
    began = perf_counter()
    writer.write("skew", held(fresh=60.0, stale=120.0), (), None)
    found = guarded.read("skew")
    passed = perf_counter() - began
    assert found is not None
    assert 59 - passed < found.fresh <= 60
    assert 119 - passed < found.stale <= 120
    guarded.close()
    writer.close()


def test_invalidated_by_key_by_tag_and_all_at_once(tier: RedisTier) -> None:
    for key in ("a", "b", "c"):
        tier.write(key, held(), (f"tag-{key}", "all ☂"), None)
    tier.invalidate(["k:a"])
    tier.invalidate(["t:tag-b"])
    assert [tier.read(key) is None for key in "abc"] == [True, True, False]
    tier.invalidate(["t:all ☂"])
    assert tier.read("c") is None
    tier.write("a", held(), (), None)
    tier.clear()
    assert tier.read("a") is None
    assert tier.write("a", held(b"new"), (), None)
    assert tier.read("a") is not None
    tier.invalidate([])


def test_many_long_tags_are_kept(tier: RedisTier) -> None:
    tags = [f"{number}-{'x' * 200}" for number in range(50)]
    tier.write("a", held(), [*tags, *tags], None)
    assert tier.read("a") is not None
    tier.invalidate([f"t:{tags[-1]}"])
    assert tier.read("a") is None


@pytest.mark.parametrize("moved", ["k:a", "t:x", "everything"])
def test_a_fence_refuses_what_was_overtaken(tier: RedisTier, moved: str) -> None:
    fence = tier.fence(["k:a", "t:x"])
    assert tier.write("a", held(), ("x",), fence)
    if moved == "everything":
        tier.clear()
    else:
        tier.invalidate([moved])
    assert not tier.write("a", held(b"old"), ("x",), fence)
    assert tier.read("a") is None
    assert tier.write("a", held(b"new"), ("x",), tier.fence(["k:a", "t:x"]))


def test_a_mark_that_was_lost_refuses_and_never_comes_back(tier: RedisTier, server: int) -> None:
    """Law: evicting any mark makes what it guards unreadable, whatever is written under the tag afterwards."""
    tier.write("a", held(b"old"), ("x",), None)
    fence = tier.fence(["k:a", "t:x"])
    with client.Redis(port=server) as connection:
        connection.delete("perf:t:x")
    assert not tier.write("a", held(b"older"), ("x",), fence)
    assert tier.write("b", held(), ("x",), None)
    assert tier.read("a") is None
    assert tier.read("b") is not None


def test_marks_outlive_their_entries(tier: RedisTier, server: int) -> None:
    tier.write("short", held(stale=50.0), ("x",), None)
    tier.write("long", held(stale=5_000.0), ("x",), None)
    tier.write("short", held(stale=50.0), ("x",), None)
    with client.Redis(port=server) as connection:
        for mark in ("perf:t:x", "perf:*"):
            assert connection.pttl(mark) > 4_990_000


def test_a_fence_of_nobody_refuses(tier: RedisTier) -> None:
    assert not tier.write("a", held(), (), NO_FENCE)
    assert not tier.write("a", held(), (), b"\xff\x00 not one")


def test_prefixes_are_apart(tier: RedisTier, server: int) -> None:
    other = RedisTier(f"redis://127.0.0.1:{server}", prefix="other", timeout=PATIENT)
    tier.write("a", held(), (), None)
    assert other.read("a") is None
    other.clear()
    assert tier.read("a") is not None
    other.close()


def test_damaged_entries_are_misses(tier: RedisTier, server: int) -> None:
    tier.write("a", held(), ("x",), None)
    with client.Redis(port=server) as connection:
        whole = connection.get("perf:e:a")
        assert isinstance(whole, bytes)
        for damaged in (b"", b"x", whole[:25], whole[:31], b"\xff" * 200):
            connection.set("perf:e:a", damaged)
            assert tier.read("a") is None
            assert not connection.exists("perf:e:a")
            assert tier.write("b", held(), (), None)
    assert tier.read("b") is not None


def test_scripts_that_the_server_forgot_are_sent_again(tier: RedisTier, server: int) -> None:
    tier.write("a", held(), (), None)
    with client.Redis(port=server) as connection:
        connection.script_flush()
        assert tier.read("a") is not None
        connection.script_flush()
        assert tier.write("a", held(), (), None)


def test_a_lock_is_for_one_until_its_lease_ends(tier: RedisTier) -> None:
    assert tier.lock("a", 60.0) is not None
    assert tier.lock("a", 60.0) is None
    token = tier.lock("b", 0.1)
    assert token is not None
    eventually(lambda: tier.lock("b", 60.0) is not None, every=0.01)
    tier.unlock("b", token)  # Its lease is over: the other's is left alone.
    assert tier.lock("b", 1.0) is None


def test_a_lock_given_back_is_free(tier: RedisTier) -> None:
    token = tier.lock("a", 30.0)
    assert token is not None
    tier.unlock("a", token)
    assert tier.lock("a", 30.0) is not None


def test_a_holder_frozen_beyond_its_lease_stores_nothing(tier: RedisTier) -> None:
    assert tier.lock("a", 0.05) is not None
    frozen = tier.fence(["k:a"])
    eventually(lambda: tier.lock("a", 30.0) is not None, every=0.01)
    assert tier.write("a", held(b"new"), (), tier.fence(["k:a"]))
    assert not tier.write("a", held(b"old"), (), frozen)
    found = tier.read("a")
    assert found is not None
    assert found.data == b"new"


def test_usage_is_that_of_the_server(tier: RedisTier) -> None:
    tier.write("a", held(), ("x",), None)
    usage = tier.usage()
    assert (usage.name, usage.bound, usage.state) == ("redis", 0, "")
    assert usage.entries >= 1
    assert usage.bytes > 0


def test_many_threads_never_mix_up_replies(tier: RedisTier) -> None:
    wrong: list[str] = []

    def work(number: int) -> None:
        data = str(number).encode() * (1 + number * 2_000)
        for turn in range(40):
            tier.write(f"{number}", held(data), (f"{number}",), None)
            found = tier.read(f"{number}")
            if found is None or found.data != data:
                wrong.append(f"{number}/{turn}")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_child_uses_connections_of_its_own(tier: RedisTier) -> None:
    tier.write("a", held(b"parent"), (), None)

    def work() -> bool:
        return all(tier.write("c", held(b"c" * 10_000), (), None) and tier.read("c") is not None for _ in range(50))

    child = services.forked(work)
    for _ in range(50):
        found = tier.read("a")
        assert found is not None
        assert found.data == b"parent"
    assert os.waitpid(child, 0)[1] == 0
