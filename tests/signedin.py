"""A dashboard with people who sign in, and clients of it without a browser."""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlencode, urlsplit

import argon2

from tests.services import Site, site

PEOPLE = {"vera": "viewer", "otto": "operator", "ada": "admin"}
# Quick to verify: what is tested here is not how long a guess takes.
_QUICK = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


class Answer(NamedTuple):
    """Status, headers by lower-case name, and body."""

    status: int
    headers: dict[str, str]
    cookies: list[str]
    body: bytes


def password(name: str) -> str:
    """The password of one of `PEOPLE`."""
    return f"{name} likes tests"


def settings(**more: str) -> str:
    """A ``perf.toml`` with `PEOPLE`, and lines of the group ``access``."""
    lines = ["[access]", *(f"{key} = {value}" for key, value in more.items())]
    for name, role in PEOPLE.items():
        lines += [f"[access.users.{name}]", f'role = "{role}"', f'hash = "{_QUICK.hash(password(name))}"']
    return "\n".join(lines)


@contextmanager
def guarded_site(folder: Path, text: str | None = None, **variables: str) -> Iterator[Site]:
    """A dashboard with the settings *text*; `PEOPLE` by default."""
    config = folder / "perf.toml"
    config.write_text(settings() if text is None else text, encoding="utf-8")
    with site(folder, port=None, PERF_CONFIG=str(config), **variables) as found:
        yield found


def ask(url: str, path: str, method: str = "GET", body: bytes | None = None, **headers: str) -> Answer:
    """The answer as it comes, redirects not followed; ``_`` in names of *headers* is ``-``."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30.0)
    try:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, named)
        response = connection.getresponse()
        found = response.getheaders()
        cookies = [value for name, value in found if name.lower() == "set-cookie"]
        fields = {name.lower(): value for name, value in found}
        endless = fields.get("content-type", "").startswith("text/event-stream")
        return Answer(response.status, fields, cookies, b"" if endless else response.read())
    finally:
        connection.close()


def form(url: str, path: str = "/signin") -> tuple[str, str]:
    """The cookie and the hidden token of a form for signing in."""
    page = ask(url, path)
    token = re.search(r'name="token" value="([^"]+)"', page.body.decode())
    assert token, page
    return kept(page), token[1]


def kept(answer: Answer) -> str:
    """The cookies that a browser would send after *answer*."""
    return "; ".join(cookie.partition(";")[0] for cookie in answer.cookies)


def sign_in(url: str, name: str, secret: str | None = None, target: str = "/") -> Answer:
    """The answer to the form, filled in by *name*."""
    cookie, token = form(url)
    fields = {"name": name, "password": password(name) if secret is None else secret, "token": token, "next": target}
    body = urlencode(fields).encode()
    return ask(
        url, "/signin", "POST", body, Cookie=cookie, Origin=url, Content_Type="application/x-www-form-urlencoded"
    )


def session(url: str, name: str) -> str:
    """The cookie of somebody who has just signed in."""
    answer = sign_in(url, name)
    assert answer.status == 303, answer
    return kept(answer)


def send(url: str, path: str, content: Mapping[str, object], method: str = "POST", **headers: str) -> Answer:
    """The answer to *content* as JSON."""
    return ask(url, path, method, json.dumps(content).encode(), Content_Type="application/json", **headers)
