"""Who looks at the dashboard, and what they may do: what they may not is drawn disabled, and refused again when it is done."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import streamlit as st

from dashboard import nav
from perf import default
from perf.access.sessions import COOKIE
from perf.actor import Actor, acting
from perf.api.needs import STREAMLIT, Kind, Rule, Rules
from perf.errors import PerfError
from perf.model.access import NOBODY, Principal, Scope

READ = Scope.READ
_NEEDED = {
    Scope.READ: "a viewer",
    Scope.OPERATE: "an operator",
    Scope.ADMIN: "an admin",
}


class NotAllowedError(PerfError):
    """Whoever looks at the dashboard may not do that."""


def rules(api: Iterable[Rule]) -> Rules:
    """What every path of the whole application needs: *api*, the pages, and Streamlit's own routes."""
    pages = [Rule(method="GET", path="/", needs=Scope.READ, kind=Kind.PAGE)]
    pages += [Rule(method="GET", path=f"/{one.path}", needs=Scope.READ, kind=Kind.PAGE) for one in nav.ENTRIES]
    assets = Rule(method="GET", path="/assets/{path:path}", needs=Scope.READ)
    return Rules([*api, *pages, assets, *STREAMLIT])


def principal() -> Principal:
    """Who looks at this page, asked anew each time: a session may have ended meanwhile."""
    cookie = str(st.context.cookies.get(COOKIE, ""))
    return default.get().access.person(cookie) or NOBODY


def signs_in() -> bool:
    """Whether people sign in here."""
    return default.get().access.signs_in


def person() -> str:
    """The name of who looks at this page, for whatever they do; "local" without sign-in."""
    return principal().name


def may(scope: Scope) -> bool:
    """Whether they may do what needs *scope*."""
    return principal().may(scope)


def reason(scope: Scope) -> str | None:
    """Why they may not, for the help of what is disabled; None when they may."""
    return (
        None if may(scope) else f"Needs {_NEEDED.get(scope, scope.value)}: you are signed in as {person() or 'nobody'}"
    )


@contextmanager
def doing(scope: Scope, action: str = "", subject: str = "") -> Iterator[None]:
    """What is done inside needs *scope* and is theirs in the audit log; as *action* when it doesn't say so itself.

    Raises: NotAllowedError.
    """
    who = principal()
    if not who.may(scope):
        raise NotAllowedError(reason(scope) or "not allowed")
    with acting(Actor(who, str(st.context.ip_address or "local"))) as actor:
        yield
        if action and not actor.noted:
            default.get().access.audit.note(action, subject)
