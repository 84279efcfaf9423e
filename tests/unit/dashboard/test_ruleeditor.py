"""What the editor of rules says about a preview."""

from __future__ import annotations

import pytest

from dashboard import ruleeditor
from perf.alerts.preview import Preview


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
