"""The promised faces, with the snippets as they stand in the public API."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from perf.cache import CacheConfig, CacheManager, cached, compress_data, decompress_data, get_cache_manager, manager
from perf.errors import CacheError


@pytest.fixture
def cache() -> Iterator[CacheManager]:
    found = CacheManager(CacheConfig(namespace="tests"))
    yield found
    found.close()


@pytest.fixture(autouse=True)
def _own_manager(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(manager, "_manager", None)


def test_the_snippet_of_the_public_api_works_as_it_stands(tmp_path: Path) -> None:
    # Redis isn't there: nothing raises, and memory and files answer.
    data = {"rows": [1, 2, 3]}
    config = CacheConfig(redis_enabled=True, redis_host="localhost", redis_port=6379, file_cache_enabled=True,
                         max_file_cache_size_mb=1024, max_memory_mb=512, compression_enabled=True, compression_threshold=1024)  # fmt: skip
    cache = CacheManager(config); cache.set("key", data, ttl=1800); cache.get("key"); cache.delete("key"); cache.clear()  # fmt: skip
    cache.invalidate(pattern="user:*"); cache.invalidate(tags=["orders"]); cache.get_stats()  # fmt: skip

    @cached(ttl=3600)
    def expensive(a: int, b: int) -> int: return a + b  # noqa: E704  # fmt: skip

    assert (expensive(1, 2), expensive(1, 2)) == (3, 3)
    cache.close()


def test_without_caching_every_call_runs_and_nothing_is_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PERF_CACHING", "false")
    monkeypatch.setenv("PERF_CACHE__FILE_ENABLED", "true")
    calls = []

    @cached(ttl=3600)
    def doubled(a: int) -> int:
        calls.append(a)
        return 2 * a

    assert [doubled(1), doubled(1)] == [2, 2]
    assert calls == [1, 1]
    own = get_cache_manager()
    own.set("key", 1)
    assert own.get("key", "nothing") == "nothing"
    assert own.get_stats()["hit_rate_percent"] == 0.0
    assert list(tmp_path.iterdir()) == []
    own.close()


def test_what_is_set_comes_back_until_it_is_deleted(cache: CacheManager) -> None:
    cache.set("key", {"a": [1]}, ttl=60)
    assert cache.get("key") == {"a": [1]}
    assert cache.delete("key") is True
    assert cache.get("key", "nothing") == "nothing"
    assert cache.delete("key") is False


@pytest.mark.parametrize(
    "forget",
    [
        lambda cache: cache.invalidate(tags=["orders"]),
        lambda cache: cache.invalidate(pattern="user:*"),
        lambda cache: cache.invalidate(key="user:1"),
        lambda cache: cache.clear(),
    ],
)
def test_every_way_to_forget(cache: CacheManager, forget: Callable[[CacheManager], object]) -> None:
    cache.set("user:1", "value", tags=["orders"])
    cache.set("other", "stays")
    forget(cache)
    assert cache.get("user:1") is None


def test_a_value_that_is_held_is_not_made_again(cache: CacheManager) -> None:
    made: list[int] = []
    assert [cache.get_or_set("key", lambda: made.append(1) or "value") for _ in range(3)] == ["value"] * 3
    assert made == [1]


def test_statistics_are_a_plain_dict(cache: CacheManager) -> None:
    cache.set("key", 1)
    cache.get("key")
    cache.get("absent")
    found = cache.get_stats()
    assert (found["hits"], found["misses"], found["sets"], found["hit_rate_percent"]) == (1, 1, 1, 50.0)


def test_before_the_first_request_there_is_no_rate(cache: CacheManager) -> None:
    assert cache.get_stats()["hit_rate_percent"] is None


def test_tags_are_not_a_text(cache: CacheManager) -> None:
    with pytest.raises(CacheError, match=re.escape("orders")):
        cache.set("key", 1, tags="orders")


def test_the_process_has_one_manager(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERF_CACHE__NAMESPACE", "mine")
    assert get_cache_manager() is get_cache_manager()
    assert get_cache_manager().cache.namespace == "mine"


def test_files_outlive_the_process_that_wrote_them(tmp_path: Path) -> None:
    config = CacheConfig(file_cache_enabled=True, file_cache_dir=str(tmp_path / "cache"))
    first, second = CacheManager(config), CacheManager(config)
    first.set("key", {"a": (1, 2)})
    assert first.cache.flush(20)
    first.close()
    assert second.get("key") == {"a": (1, 2)}
    second.close()


def test_compression_round_trips() -> None:
    assert decompress_data(compress_data({"a": [1, 2]})) == {"a": [1, 2]}
