"""Fields of a form, each with what is wrong with it right below."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import streamlit as st

from dashboard import tables
from perf.errors import PerfError

_Drawn = TypeVar("_Drawn")
_Read = TypeVar("_Read")


class Fields:
    """The fields of one form; *wrong* once one of them says what can't be taken, *marked* once that was said below it."""

    def __init__(self) -> None:
        self.wrong = self.marked = False

    def read(
        self,
        draw: Callable[[], _Drawn],
        read: Callable[[_Drawn], _Read],
        otherwise: _Read,
        *,
        told: bool = True,
        width: int | None = None,
    ) -> _Read:
        """What *read* makes of the field that *draw* draws; *otherwise* where it raises, which is said below it if *told*."""
        with st.container(gap="xxsmall", width=width or "stretch"):
            drawn = draw()
            try:
                return read(drawn)
            except (PerfError, ValueError) as error:
                self.wrong = True
                if told:
                    self.marked = True
                    st.caption(f":red[:material/error: {tables.escaped(str(error))}]")
                return otherwise


def demanded(what: str) -> Callable[[str | None], str]:
    """Reads a text that must be there: *what* it is."""

    def read(text: str | None) -> str:
        if not (text or "").strip():
            raise ValueError(f"{what} is missing")
        return str(text).strip()

    return read
