"""Streamlit's own scripts and fonts for the first page, from memory and compressed: 1.2 MB instead of 3.1.

Streamlit opens and stats each of its files anew, on a thread, and sends it as it is: 60 files kept a first visit waiting for 0.6 s.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import msgspec
import streamlit as st
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

ELEMENTS = ("BidiComponent", "Button", "ButtonGroup", "Checkbox", "Html", "NumberInput", "Selectbox")
"""The kinds of elements on the first page; each has a script of this name."""

_STATIC = Path(st.__file__).parent / "static" / "static"
_IMPORT = re.compile(r'(?:from|import)\s*"\./([\w.@$-]+\.js)"')
_FOREVER = "public, max-age=31536000, immutable"
_TYPES = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".woff2": "font/woff2"}


class Held(msgspec.Struct, frozen=True):
    """One file as it is sent: fonts as they are, the rest compressed."""

    body: bytes
    media_type: str
    packed: bool


class Frontend:
    """Answers for the files of the first page; everything else is passed on."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass on."""
        held = _asked(scope)
        if held is None:
            await self._app(scope, receive, send)
            return
        headers = {"Cache-Control": _FOREVER, "Vary": "Accept-Encoding", "X-Content-Type-Options": "nosniff"}
        body = held.body
        if held.packed and "gzip" in Headers(scope=scope).get("accept-encoding", ""):
            headers["Content-Encoding"] = "gzip"
        elif held.packed:
            body = gzip.decompress(body)
        await Response(body, headers=headers, media_type=held.media_type)(scope, receive, send)


def warm() -> None:
    """Read and compress everything now (a quarter of a second), not at the first visit."""
    _files()


def _asked(scope: Scope) -> Held | None:
    if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD"):
        return None
    base = str(st.get_option("server.baseUrlPath") or "").strip("/")
    path: str = scope["path"]
    start = f"/{base}/static/" if base else "/static/"
    return _files().get(path.removeprefix(start)) if path.startswith(start) else None


@cache
def _files() -> Mapping[str, Held]:
    """Path below Streamlit's folder -> file. Without what a later version may have renamed the page only starts slower."""
    wanted = {f"js/{name}" for name in _with_imports()} | _named_by_the_page()
    wanted |= {
        f"media/{path.name}"
        for pattern in ("SourceSansVF-Upright*", "MaterialSymbols*")
        for path in (_STATIC / "media").glob(pattern)
    }
    return {name: _held(_STATIC / name) for name in sorted(wanted) if (_STATIC / name).is_file()}


def _held(path: Path) -> Held:
    packed = path.suffix in (".js", ".css")
    body = path.read_bytes()
    return Held(gzip.compress(body, 6, mtime=0) if packed else body, _TYPES[path.suffix], packed)


@cache
def _named_by_the_page() -> frozenset[str]:
    page = _STATIC.parent / "index.html"
    text = page.read_text(encoding="utf-8") if page.is_file() else ""
    return frozenset(re.findall(r'"\./static/((?:js|css)/[^"]+)"', text))


def _with_imports() -> Iterator[str]:
    """Names of the elements' scripts, and of all that these import."""
    waiting = [path.name for element in ELEMENTS for path in (_STATIC / "js").glob(f"{element}.*.js")]
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in seen or not (path := _STATIC / "js" / name).is_file():
            continue
        seen.add(name)
        yield name
        waiting += _IMPORT.findall(path.read_text(encoding="utf-8"))
