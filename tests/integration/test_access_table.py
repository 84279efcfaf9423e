"""Every cell of the table in docs/guides/security.md, tried against a running dashboard: HTTP as it comes, and the websocket."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin, Subprotocol

from perf.api.needs import Kind, Rule
from tests.services import Site, eventually
from tests.signedin import PEOPLE, ask, guarded_site, send, session
from tools import access_table
from tools.access_table import ANSWERED, ASKERS

FOREIGN = "https://evil.example"
RULES = access_table.rules()
NAMES = {role: name for name, role in PEOPLE.items()}
REFUSED = {401, 403, 421}
TRUTH = access_table.GUIDE.read_text(encoding="utf-8").partition(access_table.BEGIN)[2].partition(access_table.END)[0]


class Stage(NamedTuple):
    """A dashboard, and what each asker sends."""

    url: str
    headers: dict[str, dict[str, str]]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with guarded_site(tmp_path_factory.mktemp("table"), PERF_API__RATE="0") as found:
        yield Stage(found.url, _askers(found))


def _askers(found: Site) -> dict[str, dict[str, str]]:
    url = found.url
    people = {role: session(url, name) for role, name in NAMES.items()}
    own = {role: {"Cookie": cookie, "Origin": url} for role, cookie in people.items()}
    wanted = {"name": "short", "scopes": ["read", "ingest", "operate", "admin"], "seconds": 0.2}
    key = json.loads(send(url, "/api/v1/keys", wanted, Cookie=people["admin"], Origin=url).body)["key"]
    bearer = {"Authorization": f"Bearer {key}"}
    eventually(lambda: ask(url, "/api/v1/keys", **bearer).status == 401)
    head, _, signature = people["admin"].rpartition(".")
    forged = f"{head}.{signature[::-1]}"
    return {
        "nobody": {},
        **own,
        "expired key": bearer,
        "foreign origin": {"Cookie": people["admin"], "Origin": FOREIGN, "Sec-Fetch-Site": "cross-site"},
        "foreign host": {**own["admin"], "Host": "evil.example"},
        "forged cookie": {"Cookie": forged, "Origin": url},
    }


def _cell(rule: Rule, asker: str) -> str:
    """What the document says."""
    name = f"{'WS' if rule.kind is Kind.SOCKET else rule.method} {rule.path}"
    row = next(line for line in TRUTH.splitlines() if line.startswith(f"| `{name}` |"))
    return row.split(" | ")[2 + ASKERS.index(asker)].strip(" |")


def _path(rule: Rule) -> str:
    return re.sub(r"\{[^}]+\}", "none", rule.path)


def _handshake(stage: Stage, path: str, headers: dict[str, str]) -> int:
    """The status of the handshake of a websocket."""
    rest = {name: value for name, value in headers.items() if name not in ("Origin", "Host")}
    parts = urlsplit(stage.url)
    # The client makes the header Host from the address; where it connects to is said apart.
    address = f"ws://{headers.get('Host', parts.netloc)}{path}"
    try:
        with connect(
            address,
            sock=socket.create_connection((parts.hostname or "", parts.port or 0)),
            proxy=None,
            origin=Origin(headers["Origin"]) if "Origin" in headers else None,
            subprotocols=[Subprotocol("streamlit")],
            additional_headers=rest,
            open_timeout=30.0,
        ):
            return 101
    except InvalidStatus as refused:
        return refused.response.status_code


@pytest.mark.parametrize("asker", ASKERS)
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule.method} {rule.path}")
def test_every_cell_is_as_the_table_says(stage: Stage, rule: Rule, asker: str) -> None:
    headers, says = stage.headers[asker], _cell(rule, asker)
    if rule.kind is Kind.SOCKET:
        status = _handshake(stage, _path(rule), headers)
        assert status == (101 if says == ANSWERED else int(says))
        return
    if rule.path == "/signout" and asker in NAMES:
        # Signing out works, so it takes a session that no other cell needs.
        headers = {**headers, "Cookie": session(stage.url, NAMES[asker])}
    answer = ask(stage.url, _path(rule), rule.method, **headers)
    to_sign_in = answer.status == 303 and answer.headers.get("location", "").startswith(("./signin?", "../signin?"))
    if says != ANSWERED:
        assert answer.status == int(says)
        assert to_sign_in == (says == "303")
    else:
        assert not to_sign_in
        # A form that isn't filled in, and Streamlit's uploads and agents, have reasons of their own to refuse.
        ours = answer.headers.get("content-type") == "application/problem+json" or answer.status == 421
        assert answer.status not in REFUSED or not ours or b"XSRF token" in answer.body, answer


def test_the_table_has_a_row_for_every_route_and_no_other() -> None:
    assert access_table.unruled() == []
    assert TRUTH.strip() == access_table.table()


@pytest.mark.parametrize("asker", ["nobody", "expired key", "foreign origin", "forged cookie"])
@pytest.mark.parametrize(
    "path", ["/", "/alerts", "/api/v1/query?query=cpu_usage_percent", "/_stcore/host-config", "/metrics"]
)
def test_nothing_of_the_data_is_in_a_refusal(stage: Stage, path: str, asker: str) -> None:
    answer = ask(stage.url, path, **stage.headers[asker])
    assert b"cpu" not in answer.body.lower()
    assert b"perf-first" not in answer.body


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/nowhere", 303), ("GET", "/api/v1/nowhere", 401), ("POST", "/nowhere", 401), ("GET", "//alerts", 303)],
)
def test_what_no_rule_names_is_closed_too(stage: Stage, method: str, path: str, status: int) -> None:
    assert ask(stage.url, path, method).status == status


def test_what_no_rule_names_and_may_change_something_is_for_admins(stage: Stage) -> None:
    assert ask(stage.url, "/nowhere", "POST", **stage.headers["operator"]).status == 403
    assert ask(stage.url, "/nowhere", "POST", **stage.headers["admin"]).status in (404, 405)
