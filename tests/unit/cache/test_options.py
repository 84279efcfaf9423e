from __future__ import annotations

import pytest

from perf.cache.entry import entry_for
from perf.cache.options import EntryOptions, changed
from perf.errors import CacheError


@pytest.mark.parametrize(
    "wrong",
    [
        {"ttl": 0},
        {"ttl": -1.0},
        {"ttl": float("nan")},
        {"ttl": True},
        {"ttl": "60"},
        {"jitter": 1.0},
        {"eager_refresh": 1.5},
        {"stale_ttl": float("inf")},
        {"factory_hard_timeout": -1},
        {"fail_safe": 1},
        {"tags": "orders"},
        {"tags": ("",)},
        {"codec": "yaml"},
        {"time_to_live": 3},
    ],
)
def test_a_wrong_option_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(CacheError):
        changed(EntryOptions(), **wrong)


def test_an_unknown_option_names_the_known_ones() -> None:
    with pytest.raises(CacheError, match="no option 'tll'; known: ttl, jitter"):
        changed(EntryOptions(), tll=3)


def test_no_change_is_the_same_object() -> None:
    options = EntryOptions()
    assert changed(options) is options


def test_tags_may_be_a_list() -> None:
    assert changed(EntryOptions(), tags=["a", "b"]).tags == ("a", "b")


def test_jitter_only_shortens() -> None:
    options = EntryOptions(ttl=100.0, jitter=0.5)
    ends = [entry_for(1, options, 0.0).fresh_until for _ in range(200)]
    assert 50.0 <= min(ends) < 75.0 < max(ends) <= 100.0


def test_an_entry_without_ttl_is_fresh_for_ever() -> None:
    entry = entry_for(1, EntryOptions(ttl=None, eager_refresh=0.5), 7.0)
    assert entry.fresh_until == entry.stale_until == entry.plain_until == float("inf")


def test_a_loaded_none_is_negative_only_when_asked() -> None:
    assert not entry_for(None, EntryOptions(), 0.0, loaded=True).negative
    negative = entry_for(None, EntryOptions(negative_ttl=5.0, stale_ttl=9.0), 0.0, loaded=True)
    assert (negative.negative, negative.fresh_until, negative.stale_until) == (True, 5.0, 5.0)
    assert not entry_for(None, EntryOptions(negative_ttl=5.0), 0.0).negative
