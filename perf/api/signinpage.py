"""The pages for signing in and out: one file each, light and dark, no script, nothing fetched."""

from __future__ import annotations

import base64
import hashlib
from html import escape
from urllib.parse import quote

import msgspec
from starlette.responses import HTMLResponse

_STYLE = """
:root { color-scheme: light dark; --back: #F6F7F9; --card: #FFFFFF; --text: #1B1F2A; --faint: #5B6270; --line: #D5D9E0;
  --main: #4848E5; --on-main: #FFFFFF; --bad: #AC325E; }
@media (prefers-color-scheme: dark) { :root { --back: #10131A; --card: #191D26; --text: #E8EAF0; --faint: #A3A9B6;
  --line: #3A404D; --main: #8C8CFF; --on-main: #10131A; --bad: #F08DB0; } }
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 16px; background: var(--back);
  color: var(--text); font: 15px/1.45 system-ui, -apple-system, "Segoe UI", sans-serif; }
main { width: 100%; max-width: 360px; padding: 28px; background: var(--card); border: 1px solid var(--line);
  border-radius: 10px; }
h1 { margin: 0 0 4px; font-size: 22px; } p { margin: 0 0 18px; color: var(--faint); }
label { display: block; margin: 14px 0 4px; font-size: 13px; }
input { width: 100%; padding: 9px 11px; font: inherit; color: var(--text); background: var(--back);
  border: 1px solid var(--line); border-radius: 6px; }
button, a.button { display: block; width: 100%; margin-top: 18px; padding: 10px; font: inherit; font-weight: 600;
  text-align: center; text-decoration: none; cursor: pointer; color: var(--on-main); background: var(--main);
  border: 1px solid var(--main); border-radius: 6px; }
a.second { color: var(--main); background: transparent; }
input:focus-visible, button:focus-visible, a:focus-visible { outline: 2px solid var(--main); outline-offset: 2px; }
.problem { margin: 0 0 6px; padding: 9px 11px; color: var(--bad); border: 1px solid var(--bad); border-radius: 6px; }
"""
_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": f"default-src 'none'; style-src 'sha256-{_HASH}'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "x-frame-options": "DENY",
    # The address holds where somebody wanted to go.
    "referrer-policy": "same-origin",
}


class Form(msgspec.Struct, frozen=True, kw_only=True):
    """What the page for signing in shows; *up* is the way from it to the folder of ``signin``."""

    token: str
    target: str
    problem: str
    name: str
    passwords: bool
    provider: str
    up: str


def response(html: str, status: int = 200) -> HTMLResponse:
    """*html* with headers that let it do nothing but send its form."""
    return HTMLResponse(html, status, headers=_HEADERS)


def sign_in(form: Form) -> str:
    """The page for signing in."""
    problem = f'<div class="problem" role="alert">{escape(form.problem)}</div>' if form.problem else ""
    return _page("Sign in", f"<h1>perf</h1><p>Sign in to go on.</p>{problem}{_fields(form)}{_provider(form)}")


def sign_out(name: str) -> str:
    """The page that asks whether *name* wants to leave."""
    return _page(
        "Sign out",
        f"<h1>perf</h1><p>You are signed in as {escape(name)}.</p>"
        '<form method="post" action="./signout"><button>Sign out</button></form>'
        '<a class="button second" href="./">Back</a>',
    )


def _fields(form: Form) -> str:
    if not form.passwords:
        return ""
    return (
        f'<form method="post" action="{form.up}signin">'
        f'<input type="hidden" name="token" value="{escape(form.token)}">'
        f'<input type="hidden" name="next" value="{escape(form.target)}">'
        f'<label for="name">Name</label><input id="name" name="name" value="{escape(form.name)}" '
        'autocomplete="username" autocapitalize="none" spellcheck="false" maxlength="100" required autofocus>'
        '<label for="password">Password</label><input id="password" name="password" type="password" '
        'autocomplete="current-password" maxlength="1000" required>'
        "<button>Sign in</button></form>"
    )


def _provider(form: Form) -> str:
    if not form.provider:
        return ""
    look = "button second" if form.passwords else "button"
    address = f"{form.up}signin/oidc?next={quote(form.target, safe='/')}"
    return f'<a class="{look}" href="{escape(address)}">{escape(form.provider)}</a>'


def _page(title: str, body: str) -> str:
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title} · perf</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{_STYLE}</style></head><body><main>{body}</main></body></html>"
    )
