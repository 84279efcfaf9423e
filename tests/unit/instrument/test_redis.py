"""Names of Redis commands, and what can't be recorded; the rest is tested with a real server."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perf.instrument.redis import ClientError, command, instrument


@pytest.mark.parametrize(
    ("word", "name"),
    [
        ("GET", "GET"),
        ("get", "GET"),
        (b"SET", "SET"),
        ("GET user:17", "GET"),  # redis-py splits it
        ("CONFIG GET", "CONFIG GET"),
        ("CONFIG user:17", "CONFIG"),
        ("JSON.GET", "JSON.GET"),
        ("user:17", "OTHER"),
        ("", "OTHER"),
        (None, "NONE"),
    ],
)
def test_a_command_is_named_without_its_key(word: object, name: str) -> None:
    assert command(word) == name


@given(st.text() | st.binary())
def test_any_first_word_has_a_short_name(word: object) -> None:
    assert 0 < len(command(word)) <= 63


def test_other_clients_are_refused() -> None:
    with pytest.raises(ClientError, match="no recording for builtins.object; known: Redis"):
        instrument(object())
