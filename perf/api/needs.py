"""What every path needs: the registered endpoints, and what is on the port besides them. The guard asks here, and so does the
table in docs/guides/security.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import StrEnum

import msgspec
from starlette.routing import compile_path

from perf.access.origins import SAFE
from perf.api.endpoint import Endpoint
from perf.model.access import Scope


class Kind(StrEnum):
    """How a path refuses somebody who isn't signed in: a page sends them to the sign-in, the rest answers 401 or closes."""

    PAGE = "page"
    DATA = "data"
    SOCKET = "socket"


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """What *method* on *path* (with ``{parts}``) needs."""

    method: str
    path: str
    needs: Scope
    kind: Kind = Kind.DATA


def _rules(methods: str, path: str, needs: Scope, kind: Kind = Kind.DATA) -> list[Rule]:
    return [Rule(method=method, path=path, needs=needs, kind=kind) for method in methods.split()]


OURS = (
    *_rules("GET POST", "/signin", Scope.PUBLIC),
    *_rules("GET", "/signin/oidc", Scope.PUBLIC),
    *_rules("GET", "/signin/callback", Scope.PUBLIC),
    *_rules("GET POST", "/signout", Scope.PUBLIC),
)
"""What is ours and no endpoint of the API."""

STREAMLIT = (
    *_rules("GET", "/_stcore/stream", Scope.READ, Kind.SOCKET),
    *_rules("GET", "/_stcore/health", Scope.READ),
    *_rules("GET", "/_stcore/metrics", Scope.READ),
    *_rules("GET", "/_stcore/host-config", Scope.READ),
    *_rules("PUT DELETE", "/_stcore/upload_file/{session_id}/{file_id}", Scope.READ),
    *_rules("GET", "/_stcore/bidi-components/{path:path}", Scope.READ),
    *_rules("GET POST PUT PATCH DELETE", "/_stcore/agent/openapi.json", Scope.ADMIN),
    *_rules("GET POST PUT PATCH DELETE", "/_stcore/agent/interact", Scope.ADMIN),
    *_rules("GET POST PUT PATCH DELETE", "/_stcore/agent/mcp", Scope.ADMIN),
    *_rules("GET", "/component/{path:path}", Scope.READ),
    *_rules("GET", "/media/{file_id:path}", Scope.READ),
    *_rules("GET", "/static/{path:path}", Scope.READ),
    *_rules("GET", "/auth/login", Scope.READ),
    *_rules("GET", "/auth/logout", Scope.READ),
    *_rules("GET", "/oauth2callback", Scope.READ),
)
"""Streamlit's own routes. Its agent's are switched off, and it has no sign-in of its own here."""


class Rules:
    """The rules of one process. What no rule names needs READ where it only reads, and ADMIN where it may change something."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self.all = tuple(rules)
        self._exact: dict[tuple[str, str], Rule] = {}
        self._forms: list[tuple[re.Pattern[str], Rule]] = []
        for rule in self.all:
            if "{" in rule.path:
                self._forms.append((compile_path(rule.path)[0], rule))
            else:
                self._exact[rule.method, rule.path] = rule

    def rule(self, method: str, path: str) -> Rule:
        """The rule for *method* on *path*."""
        asked = "GET" if method == "HEAD" else method
        found = self._exact.get((asked, path)) or next(
            (rule for form, rule in self._forms if rule.method == asked and form.match(path)), None
        )
        if found is not None:
            return found
        needs = Scope.READ if asked in SAFE else Scope.ADMIN
        return Rule(method=asked, path=path, needs=needs, kind=_kind(asked, path))


def of(endpoints: Iterable[Endpoint]) -> list[Rule]:
    """The rules of *endpoints*."""
    return [Rule(method=one.method, path=one.url, needs=one.needs) for one in endpoints]


_DATA = re.compile(r"/(api|v1|health|metrics|assets|static|media|component|_stcore|mcp)(/|$)")


def _kind(method: str, path: str) -> Kind:
    """A path that nobody registered: a page, unless it lies where no page is."""
    return Kind.PAGE if method in SAFE and not _DATA.match(path) else Kind.DATA
