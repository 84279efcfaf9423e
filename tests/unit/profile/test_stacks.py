"""A profile as a value: collapsed text and back, speedscope's JSON, boxes whose widths add up."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perf.profile.stacks import Profile, Stack, boxes, collapsed, costliest, counted, parsed, speedscope

MAIN = (Stack(("main", "run", "read"), 6), Stack(("main", "run"), 3), Stack(("worker", "read"), 1))


def profile(stacks: tuple[Stack, ...] = MAIN) -> Profile:
    return Profile(pid=7, started=0.0, seconds=2.0, rate=10.0, samples=20, cost=0.01, kept=1.0, stacks=stacks)


def test_collapsed_text_has_a_line_a_stack() -> None:
    assert collapsed(profile()) == "main;run;read 6\nmain;run 3\nworker;read 1\n"
    assert collapsed(profile((Stack(("main", "odd;name\n"), 1),))) == "main;odd:name  1\n"


_frames = st.text(st.characters(exclude_characters=";", exclude_categories=["C", "Z"]), min_size=1, max_size=8)


@given(st.lists(st.tuples(st.lists(_frames, min_size=1, max_size=5).map(tuple), st.integers(1, 99)), max_size=9))
def test_what_was_written_is_read_again(stacks: list[tuple[tuple[str, ...], int]]) -> None:
    """Law: parsing collapsed text gives the stacks that it was made of."""
    found = counted(stacks)
    assert parsed(collapsed(profile(found))) == found


@pytest.mark.parametrize("line", ["main;run", "main;run x", " 3"], ids=["no count", "no number", "no stack"])
def test_a_line_that_is_no_stack_is_named(line: str) -> None:
    with pytest.raises(ValueError, match="line 2 is no stack"):
        parsed(f"main 1\n{line}\n")


def test_speedscope_gets_a_profile_a_thread_in_seconds() -> None:
    found = json.loads(speedscope(profile()))
    assert found["$schema"] == "https://www.speedscope.app/file-format-schema.json"
    names = [frame["name"] for frame in found["shared"]["frames"]]
    main, worker = found["profiles"]
    assert (main["name"], worker["name"]) == ("main", "worker")
    assert [[names[at] for at in one] for one in main["samples"]] == [["run", "read"], ["run"]]
    assert main["weights"] == pytest.approx([0.6, 0.3])  # a look stands for 0.1 s
    assert main["endValue"] == pytest.approx(0.9)
    assert worker["unit"] == "seconds"


def test_boxes_are_as_wide_as_what_they_hold() -> None:
    found = {box.path: (box.count, box.own) for box in boxes(profile())}
    assert found == {
        ("main",): (9, 0),
        ("worker",): (1, 0),
        ("main", "run"): (9, 3),
        ("worker", "read"): (1, 1),
        ("main", "run", "read"): (6, 6),
    }
    assert {box.path for box in boxes(profile(), smallest=0.5)} == {("main",), ("main", "run"), ("main", "run", "read")}


def test_the_costliest_functions_count_recursion_once() -> None:
    stacks = (Stack(("main", "f", "f", "g"), 4), Stack(("main", "f"), 1))
    assert costliest(profile(stacks)) == [("g", 4, 4), ("f", 1, 5)]
