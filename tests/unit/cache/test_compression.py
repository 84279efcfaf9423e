"""`compress_data` and back: types kept, sizes bounded, damage noticed."""

from __future__ import annotations

import doctest

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from perf.cache import compression
from perf.cache.compression import compress_data, decompress_data, expanded
from perf.errors import CacheError


def test_examples_in_the_documentation() -> None:
    assert doctest.testmod(compression).failed == 0


@given(st.binary(max_size=10_000) | st.text(max_size=10_000) | st.lists(st.tuples(st.integers(), st.text(max_size=9))))
def test_round_trip(value: object) -> None:
    found = decompress_data(compress_data(value))
    assert found == value
    assert type(found) is type(value)


def test_what_shrinks_is_smaller_and_what_does_not_is_hardly_larger() -> None:
    assert len(compress_data(b"x" * 100_000)) < 200
    noise = zstandard.compress(bytes(range(256)) * 10) * 50
    assert len(compress_data(noise[:40])) < 40 + 30


@given(st.binary(max_size=200))
def test_foreign_bytes_are_an_error(data: bytes) -> None:
    with pytest.raises(CacheError):
        decompress_data(data)


def test_every_changed_byte_is_an_error() -> None:
    good = compress_data("some text " * 100)
    for place in range(len(good)):
        broken = bytearray(good)
        broken[place] ^= 4
        with pytest.raises(CacheError):
            decompress_data(bytes(broken))


def test_a_bomb_is_refused() -> None:
    with pytest.raises(CacheError, match="at most 1000000"):
        decompress_data(compress_data(bytes(2_000_000)), limit=1_000_000)
    bomb = zstandard.compress(bytes(50_000_000))
    with pytest.raises(CacheError):
        expanded(bomb, 1_000, 1_000_000)  # lies about its size
    hidden = zstandard.ZstdCompressor(write_content_size=False).compress(bytes(50_000_000))
    with pytest.raises(CacheError):
        expanded(hidden, 1_000, 1_000_000)  # keeps quiet about it
