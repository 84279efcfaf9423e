"""Security headers for everything on the port, the dashboard included. Pure ASGI: websockets pass untouched."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_YEAR = 31_536_000
# Streamlit's page has a script in it and writes styles; its components come as blobs, and one of its libraries makes code from text.
_CONTENT = (
    b"default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline'; "
    b"img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; frame-src 'self' blob: data:; "
    b"object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'self'"
)
_ALWAYS = ((b"x-content-type-options", b"nosniff"),)
_PAGES = (
    (b"content-security-policy", _CONTENT),
    (b"x-frame-options", b"SAMEORIGIN"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
)
_HTTPS = ((b"strict-transport-security", f"max-age={_YEAR}".encode()),)


class SecurityHeaders:
    """Adds headers that keep browsers from guessing types and from other hosts, and pages from being framed and from leaking addresses."""

    def __init__(self, app: ASGIApp, *, https: bool = False) -> None:
        """*https* says that people reach this by https, whatever a proxy speaks to us."""
        self._app, self._https = app, https

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, adding headers that the answer doesn't have."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        always = (*_ALWAYS, *_HTTPS) if self._https or scope["scheme"] == "https" else _ALWAYS

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                present = {name.lower(): value for name, value in message.get("headers", ())}
                page = present.get(b"content-type", b"").startswith(b"text/html")
                wanted = (*always, *_PAGES) if page else always
                missing = [header for header in wanted if header[0] not in present]
                message["headers"] = [*message.get("headers", ()), *missing]
            await send(message)

        await self._app(scope, receive, with_headers)
