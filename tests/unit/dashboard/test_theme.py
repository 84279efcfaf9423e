"""Every colour can be told from its background, and the states from one another."""

from __future__ import annotations

import itertools

import pytest

from dashboard import theme
from perf.model import Status

READABLE = 3.0


@pytest.mark.parametrize("name", ["light", "dark"])
def test_colours_keep_their_contrast(name: str) -> None:
    palette = theme.PALETTES[name]
    colors = [*palette.series, *palette.percentiles.values(), palette.muted, palette.calm]
    colors += [look.color for look in theme.STATUS.values()]

    faint = [color for color in colors if theme.contrast(color, theme.BACKGROUND[name]) < READABLE]

    assert faint == []


def test_contrast_of_black_and_white_is_21() -> None:
    assert theme.contrast("#000000", "#FFFFFF") == pytest.approx(21.0)


def test_states_differ_in_shape_and_word() -> None:
    pairs = itertools.combinations(theme.STATUS.values(), 2)

    assert all(one.shape != other.shape and one.word != other.word for one, other in pairs)
    assert set(theme.LOOKS) == set(Status)


def test_there_are_as_many_colours_as_series_may_be_coloured() -> None:
    assert {len(palette.series) for palette in theme.PALETTES.values()} == {theme.SERIES_MAX}
