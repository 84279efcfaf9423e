"""What every outer tier of a cache promises, asked of the file tier and of Redis on a real server."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from time import perf_counter

import pytest

from perf.cache.tiers.file import FileTier
from perf.clock import SystemClock
from perf.model import Held
from perf.ports import Tier
from tests import services

MIB = 2**20
FOREVER = float("inf")
Make = Callable[[], Tier]


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    pytest.importorskip("perf.cache.tiers.redis")
    with services.redis() as listening:
        yield listening


@pytest.fixture(params=["file", "redis"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Make]:
    """Makes tiers that share their entries, as two processes do."""
    made: list[Tier] = []

    def file() -> Tier:
        return FileTier(tmp_path / "cache", 64 * MIB, SystemClock())

    def redis() -> Tier:
        from perf.cache.tiers.redis import RedisTier

        return RedisTier(f"redis://127.0.0.1:{request.getfixturevalue('port')}/0", prefix=tmp_path.name, timeout=30.0)

    def one() -> Tier:
        made.append(file() if request.param == "file" else redis())
        return made[-1]

    yield one
    if made and request.param == "redis":
        made[0].clear()
    for tier in made:
        tier.close()


def put(tier: Tier, key: str, data: bytes = b"value", *tags: str, fresh: float = 60.0, stale: float = 60.0) -> bool:
    return tier.write(key, Held(data, fresh, stale), tags, None)


def data(tier: Tier, key: str) -> bytes | None:
    held = tier.read(key)
    return held.data if held is not None else None


@pytest.mark.parametrize("value", [b"", b"x", bytes(range(256)) * 4096], ids=["empty", "small", "1 MiB"])
def test_another_reads_what_one_wrote(make: Make, value: bytes) -> None:
    one, other = make(), make()
    assert data(one, "key") is None
    assert put(one, "key", value)
    assert data(one, "key") == data(other, "key") == value


def test_the_seconds_left_are_those_given_less_what_passed(make: Make) -> None:
    tier = make()
    began = perf_counter()
    put(tier, "key", fresh=100.0, stale=1000.0)
    held = tier.read("key")
    passed = perf_counter() - began
    assert held is not None
    assert 99.9 - passed < held.fresh <= 100.0
    assert 999.9 - passed < held.stale <= 1000.0


def test_an_entry_may_last_for_ever(make: Make) -> None:
    tier = make()
    put(tier, "key", fresh=FOREVER, stale=FOREVER)
    held = tier.read("key")
    assert held is not None
    assert held.fresh == held.stale == FOREVER


def test_a_stale_entry_says_so_and_one_that_is_gone_is_not_there(make: Make) -> None:
    tier = make()
    put(tier, "stale", fresh=-1.0, stale=60.0)
    held = tier.read("stale")
    assert held is not None
    assert held.fresh < 0.0
    put(tier, "gone", fresh=0.01, stale=0.02)
    assert services.eventually(lambda: tier.read("gone") is None)


def test_a_later_write_replaces(make: Make) -> None:
    tier = make()
    put(tier, "key", b"old" * 1000)
    put(tier, "key", b"new")
    assert data(tier, "key") == b"new"


@pytest.mark.parametrize("key", ["", " ", "a/../b", "..", "/etc/passwd", "\0", "é\n", "x" * 5000, "*", "k:k"])
def test_any_text_is_a_key(make: Make, key: str) -> None:
    tier = make()
    put(tier, key, b"mine")
    put(tier, key + "2", b"other")
    assert data(tier, key) == b"mine"
    tier.invalidate([f"k:{key}"])
    assert data(tier, key) is None
    assert data(tier, key + "2") == b"other"


def test_invalidating_a_key_takes_it_from_all(make: Make) -> None:
    one, other = make(), make()
    put(one, "key")
    put(one, "rest")
    other.invalidate(["k:key"])
    assert data(one, "key") is None
    assert data(one, "rest") == b"value"


def test_invalidating_a_tag_takes_all_that_have_it(make: Make) -> None:
    one, other = make(), make()
    put(one, "both", b"1", "red", "blue")
    put(one, "blue", b"2", "blue")
    put(one, "none", b"3")
    other.invalidate(["t:red"])
    assert [data(one, key) for key in ("both", "blue", "none")] == [None, b"2", b"3"]
    other.invalidate(["t:blue"])
    assert [data(one, key) for key in ("both", "blue", "none")] == [None, None, b"3"]


@pytest.mark.parametrize("name", ["k:key", "t:tag"])
def test_what_was_invalidated_since_its_fence_is_refused(make: Make, name: str) -> None:
    one, other = make(), make()
    fence = one.fence(["k:key", "t:tag"])
    other.invalidate([name])
    assert not one.write("key", Held(b"old", 60.0, 60.0), ["tag"], fence)
    assert data(one, "key") is None
    assert one.write("key", Held(b"new", 60.0, 60.0), ["tag"], one.fence(["k:key", "t:tag"]))
    assert data(other, "key") == b"new"


def test_a_fence_holds_when_only_others_moved(make: Make) -> None:
    tier = make()
    fence = tier.fence(["k:key", "t:tag"])
    tier.invalidate(["k:another", "t:other"])
    assert tier.write("key", Held(b"new", 60.0, 60.0), ["tag"], fence)


def test_what_replaces_others_makes_their_fences_void(make: Make) -> None:
    one, other = make(), make()
    before = one.fence(["k:key", "t:tag"])
    assert one.write("key", Held(b"loaded", 60.0, 60.0), ["tag"], before)
    assert other.write("key", Held(b"set", 60.0, 60.0), ["tag"], before, replaces=True)
    assert not one.write("key", Held(b"late", 60.0, 60.0), ["tag"], before)
    assert data(one, "key") == data(other, "key") == b"set"
    assert one.write("key", Held(b"next", 60.0, 60.0), ["tag"], one.fence(["k:key", "t:tag"]))
    assert data(other, "key") == b"next"


@pytest.mark.parametrize("name", ["k:key", "t:tag"])
def test_what_replaces_others_is_refused_when_it_was_invalidated(make: Make, name: str) -> None:
    one, other = make(), make()
    put(one, "key", b"old")
    fence = one.fence(["k:key", "t:tag"])
    other.invalidate([name])
    assert not one.write("key", Held(b"new", 60.0, 60.0), ["tag"], fence, replaces=True)
    assert data(one, "key") == (None if name == "k:key" else b"old")


def test_a_replacement_and_an_invalidation_at_the_same_time_leave_nothing(make: Make) -> None:
    """Whichever comes first: the one refuses the other, or removes it."""
    one, other = make(), make()
    for turn in range(100):
        put(one, "key", b"old %d" % turn)
        fence = one.fence(["k:key"])
        gate = threading.Barrier(2)

        def invalidate(gate: threading.Barrier = gate) -> None:
            gate.wait(20)
            other.invalidate(["k:key"])

        thread = threading.Thread(target=invalidate)
        thread.start()
        gate.wait(20)
        stored = one.write("key", Held(b"new", 60.0, 60.0), [], fence, replaces=True)
        thread.join()
        assert data(other, "key") is None, f"turn {turn}, stored {stored}"


def test_clear_takes_everything_and_refuses_older_fences(make: Make) -> None:
    one, other = make(), make()
    for number in range(20):
        put(one, f"key {number}")
    fence = one.fence(["k:key 0"])
    other.clear()
    assert not any(data(one, f"key {number}") for number in range(20))
    assert not one.write("key 0", Held(b"old", 60.0, 60.0), [], fence)
    assert put(one, "key 0", b"new")
    assert data(other, "key 0") == b"new"


def test_many_threads_read_only_whole_values(make: Make) -> None:
    tier = make()
    values = [bytes([number]) * 50_000 for number in range(8)]
    wrong: list[object] = []

    def work(number: int) -> None:
        for _ in range(20):
            put(tier, "key", values[number])
            found = data(tier, "key")
            if found not in values:
                wrong.append(found)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_usage_counts_entries(make: Make) -> None:
    tier = make()
    assert data(tier, "key") is None
    for number in range(5):
        put(tier, f"key {number}", b"x" * 1000)
    usage = tier.usage()
    assert usage.name == tier.name
    assert usage.state == ""
    if usage.bound:  # Redis does not tell the size of what is only ours
        assert usage.entries == 5
        assert 5000 <= usage.bytes <= usage.bound
