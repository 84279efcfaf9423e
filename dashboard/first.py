"""The first page before its scripts: the answer and the tiles stand in the HTML itself, with the numbers of this moment.

Streamlit needs the better part of a second in a browser before it draws anything. What is drawn here looks like the page that
follows, lets every click through, and leaves as soon as the live tiles have their numbers.
"""

from __future__ import annotations

import asyncio
import html
import logging
import math
import re
from functools import cache
from importlib.resources import files
from pathlib import Path

import streamlit as st
from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from dashboard import assets, nav, style, theme
from dashboard.components.live import Tile
from dashboard.units import show
from perf.model import Series, Status, Threshold

_COLORS = ("backgroundColor", "textColor", "borderColor")
_LEVELS = {
    Status.HEALTHY: "ok",
    Status.UNKNOWN: "unknown",
    Status.DEGRADED: "warning",
    Status.UNHEALTHY: "critical",
}
_CARDS = (2, 4)
"""Charts in the rows below."""

PATIENCE = 1.0
"""Seconds that a visit waits for the store; a page without its answer is better than none."""

_log = logging.getLogger(__name__)


class FirstPage:
    """Answers for the first page with Streamlit's own HTML and the answer in it; everything else is passed on."""

    def __init__(self, app: ASGIApp, *, patience: float = PATIENCE) -> None:
        self._app = app
        self._patience = patience
        self._failed = False
        self._drawing: asyncio.Task[str | None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass on; without an answer the page comes as it is: a moment later."""
        if scope["type"] == "http" and scope["method"] == "GET" and scope["path"] == _root():
            page = await self._soon()
            if page is not None:
                # The browser's cache would answer with old numbers.
                await HTMLResponse(page, headers={"Cache-Control": "no-store"})(scope, receive, send)
                return
        await self._app(scope, receive, send)

    async def _soon(self) -> str | None:
        """The page, or None when it failed or isn't drawn soon enough."""
        # One drawing for all who ask meanwhile: a store that hangs holds one thread, not one for each visit.
        if self._drawing is None or self._drawing.done():
            self._drawing = asyncio.create_task(self._drawn())
        done, _ = await asyncio.wait({self._drawing}, timeout=self._patience)
        return next((task.result() for task in done if not task.cancelled()), None)

    async def _drawn(self) -> str | None:
        try:
            return await run_in_threadpool(_page)
        except Exception:  # noqa: BLE001 - a request handler: the page itself needs none of this.
            if not self._failed:
                _log.exception("the first page comes without its answer")
            self._failed = True
            return None


def _page() -> str:
    return _streamlits().replace("<body>", f"<body>{drawn()}", 1)


@cache
def _streamlits() -> str:
    return (Path(st.__file__).parent / "static" / "index.html").read_text(encoding="utf-8")


def drawn() -> str:
    """The HTML of the answer and the tiles, as they are now."""
    # Imported late: cached questions want Streamlit's runtime to be there.
    from dashboard import data, overview

    status, headline, details = overview.summary()
    look = theme.LOOKS[status]
    tiles = overview.chosen_tiles()
    numbers = data.recent(tuple(tile.query for tile in tiles))
    return _frame().format(
        color=look.color,
        shape=look.shape,
        headline=html.escape(headline),
        details=html.escape(details),
        tiles="".join(_tile(tile, series) for tile, series in zip(tiles, numbers, strict=True)),
    )


def _tile(tile: Tile, series: Series | None) -> str:
    """One tile; its newest value, judged by the mean of the last minute as the live one is."""
    values = [] if series is None else [value for value in series.values.tolist() if math.isfinite(value)]
    if tile.quiet and not values:
        values = [0.0]
    mark = word = ""
    level = "ok"
    if tile.warning is not None and values:
        level = _LEVELS[Threshold(tile.warning, tile.critical).status(math.fsum(values) / len(values))]
        look = theme.STATUS[level]
        mark = f'<span class="perf-mark" style="color:{look.color}" aria-hidden="true">{look.shape}</span>'
        word = f'<span class="perf-word{" perf-hidden" if level == "ok" else ""}">{look.word}</span>'
    value = html.escape(show(values[-1], tile.unit)) if values else ""
    return (
        f'<div class="perf-tile" data-perf-state="{"ready" if values else "loading"}" data-level="{level}">'
        f'<div class="perf-head">{mark}<span class="perf-label">{html.escape(tile.label)}</span>{word}</div>'
        f'<div class="perf-value">{value}</div>'
        f'<div class="perf-under"><span class="perf-note">{html.escape(tile.note)}</span></div></div>'
    )


@cache
def _frame() -> str:
    """Everything that stays the same, with places for what doesn't."""
    live, own = files("dashboard.components.live"), files("dashboard.components.first")
    sheets = "".join(live.joinpath(name).read_text(encoding="utf-8") for name in assets.SHEETS)
    sheets += own.joinpath("first.css").read_text(encoding="utf-8")
    script = own.joinpath("first.js").read_text(encoding="utf-8")
    rows = "".join(f'<div class="perf-first-row">{"<div></div>" * count}</div>' for count in _CARDS)
    fixed = f"<style>{_variables()}{sheets}</style>".replace("{", "{{").replace("}", "}}")
    ending = f"<script>{script}</script>".replace("{", "{{").replace("}", "}}")
    return (
        f'{fixed}<div id="perf-first"><aside>{style.LOGO}</aside><main><h2>{nav.ENTRIES[0].title}</h2>'
        '<div class="perf-first-answer"><p class="perf-answer" role="status"><span class="perf-mark" style="color:{color}" '
        'aria-hidden="true">{shape}</span><strong>{headline}</strong> {details}</p></div>'
        f'<div class="perf-tiles">{{tiles}}</div>{rows}</main></div>{ending}'
    )


def _variables() -> str:
    """The theme's colours under the names that Streamlit will give them."""

    def block(name: str) -> str:
        names = {option: re.sub("[A-Z]", lambda found: f"-{found[0].lower()}", option) for option in _COLORS}
        colors = "".join(f"--st-{css}:{st.get_option(f'theme.{name}.{option}')};" for option, css in names.items())
        side = st.get_option(f"theme.{name}.sidebar.backgroundColor")
        return f"{colors}--perf-side:{side};--perf-level:{theme.PALETTES[name].calm};color-scheme:{name};"

    light, dark = block("light"), block("dark")
    return (
        f"#perf-first{{{light}}}@media(prefers-color-scheme:dark){{#perf-first{{{dark}}}}}"
        f'#perf-first[data-theme="Light"]{{{light}}}#perf-first[data-theme="Dark"]{{{dark}}}'
    )


@cache
def _root() -> str:
    base = str(st.get_option("server.baseUrlPath") or "").strip("/")
    return f"/{base}/" if base else "/"
