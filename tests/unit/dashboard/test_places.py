"""Scripts wait for a place, but not for ever."""

from __future__ import annotations

import threading
from time import perf_counter

import pytest

from dashboard.places import taken


def test_who_comes_when_all_are_taken_waits_for_the_next() -> None:
    places, order, waits = threading.BoundedSemaphore(1), [], threading.Event()

    def second() -> None:
        waits.set()
        with taken(places, 90.0):
            order.append("second")

    with taken(places):
        thread = threading.Thread(target=second)
        thread.start()
        assert waits.wait(60)
        order.append("first")
    thread.join(60)
    assert order == ["first", "second"]


def test_a_page_that_hangs_keeps_the_others_for_a_while_only() -> None:
    places = threading.BoundedSemaphore(1)
    with taken(places):
        began = perf_counter()
        with taken(places, 0.2):
            assert perf_counter() - began >= 0.2
        assert not places.acquire(blocking=False), "who had no place gives none back"


def test_a_script_that_is_stopped_gives_its_place_back() -> None:
    places = threading.BoundedSemaphore(1)
    with pytest.raises(KeyboardInterrupt), taken(places):
        raise KeyboardInterrupt
    assert places.acquire(blocking=False)
