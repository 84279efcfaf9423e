"""What the editor of rules says about a preview."""

from __future__ import annotations

import pytest

from dashboard import ruleeditor, rulefields
from perf.alerts.preview import Preview
from perf.model import Labels


@pytest.mark.parametrize(
    ("caught", "marked", "outside", "expected"),
    [
        (0, 1, 0, "It doesn't fire near the only note in this range; elsewhere never."),
        (1, 1, 2, "It fires near the only note in this range; elsewhere 2 times."),
        (0, 2, 1, "It fires near none of 2 notes in this range; elsewhere once."),
        (2, 3, 0, "It fires near 2 of 3 notes in this range; elsewhere never."),
    ],
)
def test_firings_and_notes_make_a_sentence(caught: int, marked: int, outside: int, expected: str) -> None:
    found = Preview(times=0, seconds=0.0, bands=[], alternatives=[], marked=marked, caught=caught, outside=outside)

    assert ruleeditor.noted(found) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ()),
        ("job=mail, host = db1 ,", (("host", "db1"), ("job", "mail"))),
        ("query=a=b", (("query", "a=b"),)),
    ],
)
def test_labels_are_read_in_the_order_of_their_names(text: str, expected: Labels) -> None:
    assert rulefields.labels(text) == expected


@pytest.mark.parametrize("text", ["host", "host=", "=db1", "host!", "job=mail, host db1"])
def test_what_is_no_label_is_named(text: str) -> None:
    with pytest.raises(ValueError, match="is no label: write host=db1"):
        rulefields.labels(text)


@pytest.mark.parametrize(
    ("count", "what"), [(1, "One alternative is left out: "), (15, "15 alternatives are left out: ")]
)
def test_what_is_left_out_is_said_with_why(count: int, what: str) -> None:
    said = ruleeditor.left_out(count)

    assert said.startswith(what)
    assert "Choose a shorter range" in said
