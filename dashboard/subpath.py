"""The dashboard below a path of a host (Streamlit's ``server.baseUrlPath``): our own routes answer there as well as at the root."""

from __future__ import annotations

from collections.abc import Iterable

import streamlit as st
from starlette.types import ASGIApp, Receive, Scope, Send


class SubPath:
    """Takes the base path off requests for what begins with one of *first*; Streamlit looks for its own routes below it."""

    def __init__(self, app: ASGIApp, first: Iterable[str]) -> None:
        self._app = app
        self._first = frozenset(first)
        base = str(st.get_option("server.baseUrlPath") or "").strip("/")
        self._base = f"/{base}" if base else ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on."""
        if self._base and scope["type"] in ("http", "websocket"):
            scope = self._at_root(scope)
        await self._app(scope, receive, send)

    def _at_root(self, scope: Scope) -> Scope:
        path: str = scope["path"]
        if not path.startswith(f"{self._base}/"):
            return scope
        shorter = path.removeprefix(self._base)
        if shorter.split("/")[1] not in self._first:
            return scope
        raw = scope.get("raw_path", path.encode()).removeprefix(self._base.encode())
        return {**scope, "path": shorter, "raw_path": raw}
