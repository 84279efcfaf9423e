"""Building blocks of pages: header with time range, cards, sentences, and the frame that keeps one broken panel to itself."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import streamlit as st

from dashboard import data
from dashboard.nav import Entry
from dashboard.state import COMPARE, CUSTOM, RANGES, State, first_range, from_local, to_local, zone_named
from dashboard.theme import LOOKS
from perf.errors import PerfError
from perf.model import Metric, SeriesInfo, Status, Window

_log = logging.getLogger(__name__)


def header(entry: Entry, *, live: bool, utc: bool) -> State:
    """Title and, where time applies, range and comparison; answers what the reader chose."""
    settings = data.runtime().settings.dashboard
    zone = "UTC" if utc else zone_named(st.context.timezone)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="header"):
        st.markdown(f"## {entry.title}", help=entry.help or None)
        if not entry.timed:
            return State(seconds=10_800.0, window=None, compare="none", live=live, refresh=settings.refresh, zone=zone)
        chosen = st.segmented_control(
            "Range",
            [*RANGES, CUSTOM],
            default=st.session_state.setdefault("first_range", first_range(settings.range, data.age())),
            required=True,
            key="range",
            label_visibility="collapsed",
            bind="query-params",
        )
        compare = st.selectbox(
            "Compare",
            list(COMPARE),
            format_func=lambda name: COMPARE[name],
            key="compare",
            label_visibility="collapsed",
            width=190,
            bind="query-params",
        )
    window = _custom(zone) if chosen == CUSTOM else None
    seconds = window.seconds if window else RANGES[str(chosen)]
    return State(seconds=seconds, window=window, compare=str(compare), live=live, refresh=settings.refresh, zone=zone)


def _custom(zone: str) -> Window:
    """An absolute window, typed in the shown zone."""
    end = data.now()
    with st.container(horizontal=True, horizontal_alignment="right", gap="small"):
        first = st.datetime_input(
            f"From ({zone})", to_local(end - 10_800, zone), key="from", width=230, step=60, bind="query-params"
        )
        last = st.datetime_input(f"To ({zone})", to_local(end, zone), key="to", width=230, step=60, bind="query-params")
    start, stop = (0.0 if moment is None else from_local(moment, zone) for moment in (first, last))
    if not 0.0 < start < stop:
        st.warning("The range must begin before it ends; showing the last three hours.")
        return Window(end - 10_800, end)
    return Window(start, stop)


def state() -> State:
    """What the reader chose, as the entry script left it for the page."""
    found: State = st.session_state["view"]
    return found


def metric_picker(known: Sequence[SeriesInfo], default: tuple[str, ...]) -> list[Metric]:
    """Up to six metrics by name, bound to the URL."""
    by_name = {info.metric.name: info.metric for info in known}
    names = sorted(by_name)
    chosen = st.multiselect(
        "Metrics",
        names,
        default=[name for name in default if name in by_name],
        max_selections=6,
        key="metric",
        placeholder="search metrics",
        bind="query-params",
    )
    return [by_name[name] for name in chosen]


@contextmanager
def card(title: str, note: str | Callable[[], str] = "") -> Iterator[None]:
    """A bordered panel: a title, a grey half-sentence that says what is drawn, and whatever is put inside, framed."""
    with st.container(border=True, gap="small", height="stretch"):
        place = st.empty()
        place.markdown(f"**{title}**")
        with framed(title):
            words = note() if callable(note) else note
            if words:
                place.markdown(f"**{title}**&ensp;:gray[{words}]")
        with framed(title):
            yield


@contextmanager
def framed(title: str) -> Iterator[None]:
    """A failure inside stays inside: it is shown with an id that the log has too, and the rest of the page goes on."""
    try:
        yield
    except PerfError as error:
        st.error(f"{title} has no answer: {error}", icon=":material/error:")
    except Exception as error:  # A page frame: the other panels go on.
        if type(error).__module__.startswith("streamlit"):
            raise
        incident = uuid.uuid4().hex[:12]
        _log.exception("panel %r failed (%s)", title, incident)
        st.error(f"{title} failed: {type(error).__name__}. The log has it as {incident}.")


def answer(status: Status, headline: str, details: str = "") -> None:
    """The sentence that answers the page's question, with its state as shape, colour and word."""
    look = LOOKS[status]
    mark = f'<span class="perf-mark" style="color:{look.color}" aria-hidden="true">{look.shape}</span>'
    with st.container(border=True, key="answer"):
        st.html(f'<p class="perf-answer" role="status">{mark}<strong>{_text(headline)}</strong> {_text(details)}</p>')


def empty(what: str, code: str = "", language: str = "bash") -> None:
    """Says what would be here, and the line that makes it appear."""
    st.markdown(f":gray[{what}]")
    if code:
        st.code(code, language=language)


def failed(error: Exception) -> bool:
    """What a reader sees when a whole page fails; the log has the traceback under the id shown."""
    incident = uuid.uuid4().hex[:12]
    _log.error("page failed (%s)", incident, exc_info=error)
    st.error(f"This page failed: {type(error).__name__}: {error}. The log has it as {incident}.")
    return True


def ticking(title: str, draw: Callable[[], None], seconds: float) -> None:
    """Draw now, framed, and when *seconds* is above zero again every so often, without the rest of the page."""

    def turn() -> None:
        with framed(title):
            draw()

    st.fragment(turn, run_every=seconds or None)()


def _text(words: str) -> str:
    return words.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
