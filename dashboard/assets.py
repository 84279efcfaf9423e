"""Serves the scripts, the style sheet and Plotly under ``/assets/``: addresses hold a hash of the content and never change."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

import msgspec
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dashboard import frontend, theme
from perf.model import Status

PREFIX = "assets"
MODULES = (
    "chart.js",
    "client.js",
    "cursor.js",
    "figure.js",
    "labels.js",
    "look.js",
    "main.js",
    "marks.js",
    "page.js",
    "panel.js",
    "plotly.js",
    "poller.js",
    "series.js",
    "served.js",
    "strip.js",
    "summary.js",
    "tiles.js",
    "track.js",
    "units.js",
    "zone.js",
)
"""The scripts of the live component; ``served.js`` is made here from Python's own tables."""

SHEETS = ("panel.css", "chart.css", "tiles.css")  # one file for the browser: live.css
_TYPES = {"js": "text/javascript; charset=utf-8", "css": "text/css; charset=utf-8"}
_FOREVER = "public, max-age=31536000, immutable"
_HASH_LETTERS = 12


def routes() -> list[BaseRoute]:
    """The routes to give to the application; whatever else is asked under ``/assets`` is answered 404."""
    return [Route(f"/{PREFIX}", _asset), Route(f"/{PREFIX}/{{path:path}}", _asset)]


@cache
def live_path() -> str:
    """The folder of the live component's files, relative to the page: ``assets/live-0123456789ab/``."""
    return f"{PREFIX}/live-{_digest(*(_live(name) for name in _names()))}/"


@cache
def plotly_path() -> str:
    """Where Plotly is, relative to the page."""
    return f"{PREFIX}/plotly-{_digest(_plotly())}/plotly.min.js"


class Preload:
    """Adds to every HTML page where Plotly is, the largest file: it then comes while Streamlit is still starting."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on."""

        async def with_link(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                # A page that brings a policy of its own, such as the one for signing in, has no use for Plotly.
                page = headers.get("content-type", "").startswith("text/html")
                if page and "content-security-policy" not in headers:
                    headers.append("link", f"<{plotly_path()}>; rel=preload; as=script")
            await send(message)

        await self._app(scope, receive, with_link)


def warm() -> None:
    """Read and compress everything now (about half a second), not at the first visit."""
    for path in _contents():
        _compressed(path)
    frontend.warm()


def _asset(request: Request) -> Response:  # not a coroutine: compressing happens on a worker thread
    path = f"{PREFIX}/{request.path_params.get('path', '')}"
    if path not in _contents():
        raise HTTPException(404, headers={"Cache-Control": "no-store"})
    headers = {"Cache-Control": _FOREVER, "Vary": "Accept-Encoding", "X-Content-Type-Options": "nosniff"}
    media_type = _TYPES[path.rpartition(".")[2]]
    if not _takes_gzip(request.headers.get("accept-encoding", "")):
        return Response(_plain(path), headers=headers, media_type=media_type)
    return Response(_compressed(path), headers=headers | {"Content-Encoding": "gzip"}, media_type=media_type)


def _takes_gzip(accepted: str) -> bool:
    for part in accepted.lower().split(","):
        coding, _, weight = part.partition(";")
        if coding.strip() == "gzip":
            return weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


@cache
def _contents() -> Mapping[str, str]:
    """Path -> the file's own name, for everything that is served."""
    return {live_path() + name: name for name in _names()} | {plotly_path(): "plotly.min.js"}


@cache
def _compressed(path: str) -> bytes:
    return gzip.compress(_plain(path), compresslevel=9, mtime=0)


def _plain(path: str) -> bytes:
    name = _contents()[path]
    return _plotly() if name == "plotly.min.js" else _live(name)


def _names() -> tuple[str, ...]:
    return (*MODULES, "live.css")


def _live(name: str) -> bytes:
    if name == "served.js":
        return _served()
    folder = files("dashboard.components.live")
    if name == "live.css":
        return b"\n".join(folder.joinpath(sheet).read_bytes() for sheet in SHEETS)
    return folder.joinpath(name).read_bytes()


def _plotly() -> bytes:
    return files("plotly").joinpath("package_data", "plotly.min.js").read_bytes()


@cache
def _served() -> bytes:
    """What the scripts must know of Python's side."""
    tables: dict[str, object] = {
        "PLOTLY": f"../{plotly_path().removeprefix(f'{PREFIX}/')}",
        "STATUS": theme.STATUS,
        "STATES": [theme.LOOKS[status] for status in Status],
        "PALETTES": theme.PALETTES,
        "SERIES_MAX": theme.SERIES_MAX,
    }
    lines = [f"export const {name} = {msgspec.json.encode(value).decode()};" for name, value in tables.items()]
    return "\n".join(["/** Made by dashboard/assets.py. */", *lines, ""]).encode()


def _digest(*contents: bytes) -> str:
    found = hashlib.sha256()
    for content in contents:
        found.update(hashlib.sha256(content).digest())
    return found.hexdigest()[:_HASH_LETTERS]
