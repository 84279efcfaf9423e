"""Writes who is answered what, into docs/guides/security.md, from the routes themselves; ``--check`` only says whether it is up to date.

A route that no rule names fails the check: nothing comes onto the port without somebody having said who may ask for it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import streamlit as st
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute

from dashboard import access, assets, nav
from perf.api.app import needs, routes
from perf.api.needs import Kind, Rule
from perf.model.access import Role, Scope
from perf.runtime import Runtime
from perf.settings import HostSettings, ProcessSettings, Settings, SourceSettings, StoreSettings
from tools import generated

ROOT = Path(__file__).resolve().parent.parent
GUIDE = ROOT / "docs" / "guides" / "security.md"
BEGIN, END = "<!-- access: made by make fix -->", "<!-- /access -->"
ASKERS = ("nobody", "viewer", "operator", "admin", "expired key", "foreign origin", "foreign host", "forged cookie")
"""Columns. A foreign origin and host are tried by an admin who is signed in."""
ANSWERED = "yes"
CATCH_ALLS = frozenset({"/api", "/api/{rest:path}", "/health/{rest:path}", "/metrics/{rest:path}", "/assets", "/"})
"""What answers 404, or Streamlit's page for a path that is no page; the guard has rules for what no rule names."""


def rules() -> tuple[Rule, ...]:
    """The rule of every route of the whole application."""
    return access.rules(needs()).all


def expected(rule: Rule, asker: str) -> str:
    """What *asker* gets: a status, or ``yes`` for the route's own answer."""
    if asker == "foreign host":
        return "403" if rule.kind is Kind.SOCKET else "421"
    if rule.needs is Scope.PUBLIC:
        return ANSWERED
    if asker == "foreign origin":
        return "403"
    if asker in [role.value for role in Role]:
        return ANSWERED if rule.needs in Role(asker).scopes else "403"
    if rule.kind is Kind.SOCKET:
        return "403"
    return "303" if rule.kind is Kind.PAGE and asker != "expired key" else "401"


def table() -> str:
    """The table as Markdown, one row a route."""
    head = f"| route | needs | {' | '.join(ASKERS)} |"
    lines = [head, "|" + "---|" * (len(ASKERS) + 2)]
    for rule in rules():
        cells = " | ".join(expected(rule, asker) for asker in ASKERS)
        lines.append(f"| `{_named(rule)}` | {rule.needs} | {cells} |")
    return "\n".join(lines)


@cache
def served() -> list[tuple[str, str]]:
    """Method and path of every route that the application has, Streamlit's among them."""
    settings = Settings(
        store=StoreSettings(backend="memory"),
        sources=SourceSettings(host=HostSettings(enabled=False), process=ProcessSettings(enabled=False)),
    )
    runtime = Runtime(settings)
    ours = [*routes(runtime), *assets.routes(), *nav.routes()]
    app = st.App(ROOT / "dashboard" / "main.py", routes=ours)
    # Only the finished application has Streamlit's routes; it is made at the first request, or so.
    app._runtime = app._create_runtime()  # noqa: SLF001
    return sorted(set(_flat(app._build_starlette_app().routes)))  # noqa: SLF001


def unruled() -> list[str]:
    """Routes that no rule names, and rules whose route is gone, as sentences."""
    # Streamlit answers for all pages, and for the files of its own, from one catch-all.
    has, ruled = served(), {(rule.method, rule.path) for rule in rules()}
    below = {"/", "/static/{path:path}", *(f"/{entry.path}" for entry in nav.ENTRIES)}
    found = [f"{m} {p}: no rule says who may ask for it" for m, p in has if (m, p) not in ruled and p not in CATCH_ALLS]
    gone = sorted(ruled - set(has))
    return found + [f"{m} {p}: a rule for a route that is gone" for m, p in gone if p not in below]


def _named(rule: Rule) -> str:
    return f"{'WS' if rule.kind is Kind.SOCKET else rule.method} {rule.path}"


def _flat(found: Sequence[BaseRoute], prefix: str = "") -> Iterator[tuple[str, str]]:
    for route in found:
        if isinstance(route, Mount):
            yield from _flat(route.routes or [], prefix + route.path)
            if not route.routes:
                yield "GET", prefix + route.path or "/"
        elif isinstance(route, WebSocketRoute):
            yield "GET", prefix + route.path
        elif isinstance(route, Route):
            methods = (route.methods or {"GET"}) - {"HEAD", "OPTIONS"}
            yield from ((method, prefix + route.path) for method in methods)


def main(*, check: bool) -> int:
    """Write the table between its two marks, or with *check* compare; 1 when it is missing or old, or a route has no rule."""
    problems = unruled()
    for problem in problems:
        print(problem, file=sys.stderr)
    return generated.renew(GUIDE, BEGIN, END, table(), check=check) or int(bool(problems))


if __name__ == "__main__":
    sys.exit(main(check="--check" in sys.argv[1:]))
