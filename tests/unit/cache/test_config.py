"""The configuration of a cache: strict, and the same thing as the settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from perf import settings
from perf.cache.config import CacheConfig, from_settings
from perf.errors import CacheError, SettingsError


def test_the_settings_mean_the_same_defaults() -> None:
    assert from_settings(settings.load(environ={}).cache) == CacheConfig()


def test_settings_come_from_the_file_and_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "perf.toml"
    file.write_text('[cache]\nmemory_limit = "64MiB"\nfile_enabled = true\nttl = "5m"\n', encoding="utf-8")
    loaded = settings.load(file, {"PERF_CACHE__REDIS_PORT": "6380", "PERF_CACHE__SECRET": "s"})
    found = from_settings(loaded.cache)
    assert (found.max_memory_mb, found.file_cache_enabled, found.default_ttl) == (64, True, 300.0)
    assert (found.redis_port, found.secret) == (6380, "s")


@pytest.mark.parametrize("name", ["PERF_CACHING", "PERF_CACHE__MEMORY_LIMIT"])
def test_a_limit_of_zero_switches_every_tier_off(name: str) -> None:
    loaded = settings.load(environ={name: "0", "PERF_REDIS_ENABLED": "true"})
    assert from_settings(loaded.cache) == CacheConfig(enabled=False, redis_enabled=True)


def test_secrets_are_not_shown() -> None:
    loaded = settings.load(environ={"PERF_CACHE__REDIS_PASSWORD": "hidden", "PERF_CACHE__SECRET": "hidden"})
    assert "hidden" not in str([value for _, value in settings.in_force(loaded)])


def test_an_unknown_setting_names_the_nearest(tmp_path: Path) -> None:
    file = tmp_path / "perf.toml"
    file.write_text("[cache]\nmemory_limits = 1\n", encoding="utf-8")
    with pytest.raises(SettingsError, match="did you mean 'memory_limit'"):
        settings.load(file, {})


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"max_memory_mb": 0}, "max_memory_mb"),
        ({"max_memory_mb": "128"}, "max_memory_mb"),
        ({"max_file_cache_size_mb": -1}, "max_file_cache_size_mb"),
        ({"redis_port": 70_000}, "redis_port"),
        ({"redis_enabled": "yes"}, "redis_enabled"),
        ({"default_ttl": 0}, "default_ttl"),
        ({"namespace": ""}, "namespace"),
        ({"compression_threshold": float("nan")}, "compression_threshold"),
        ({"allow_pickle": True}, "needs a secret"),
    ],
)
def test_a_wrong_value_is_an_error_that_names_it(wrong: dict[str, object], says: str) -> None:
    with pytest.raises(CacheError, match=says):
        CacheConfig(**wrong)  # type: ignore[arg-type]  # that is the point


def test_an_unknown_name_is_an_error() -> None:
    with pytest.raises(TypeError, match="max_memory"):
        CacheConfig(max_memory=1)  # type: ignore[call-arg]  # that is the point
