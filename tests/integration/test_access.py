"""People and programs at a running dashboard: signing in and out, guessing, forms, keys, open websockets, the audit log, proxies."""

from __future__ import annotations

import csv
import http.client
import io
import json
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin, Subprotocol

from tests.nursery import Nursery, nursery
from tests.services import Site, environment, eventually
from tests.signedin import ask, form, guarded_site, kept, send, session, settings, sign_in

TYPE = "application/x-www-form-urlencoded"
SHOP = "https://shop.example"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("access")


@pytest.fixture(scope="module")
def served(folder: Path) -> Iterator[Site]:
    text = settings(origins=f'["{SHOP}"]', proxies='["127.0.0.1"]', hosts='["perf.example"]')
    # Nothing is to fire, however busy the machine is.
    with guarded_site(folder, text, PERF_ALERTS__ENABLED="false") as found:
        yield found


@pytest.fixture(scope="module")
def url(served: Site) -> str:
    return served.url


def audit(url: str, cookie: str, query: str = "") -> list[dict[str, str]]:
    found: list[dict[str, str]] = json.loads(ask(url, f"/api/v1/audit?{query}", Cookie=cookie).body)["entries"]
    return found


def socket_of(url: str, cookie: str) -> ClientConnection:
    return connect(
        f"ws://{urlsplit(url).netloc}/_stcore/stream",
        origin=Origin(url),
        subprotocols=[Subprotocol("streamlit")],
        additional_headers={"Cookie": cookie},
        proxy=None,
        open_timeout=60.0,
        ping_timeout=None,
    )


def content(file: Path) -> bytes:
    """What is in *file*; nothing when it has just gone, as the store's log does."""
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return b""


def ended(socket: ClientConnection) -> int:
    """Code with which the server ends *socket*; waits for it."""
    try:
        while True:
            socket.recv(timeout=60.0)
    except ConnectionClosed as closed:
        assert closed.rcvd is not None
        return closed.rcvd.code


@contextmanager
def followed(url: str, **headers: str) -> Iterator[http.client.HTTPResponse]:
    """Live events, from the first of them on."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60.0)
    connection.request("GET", "/api/v1/events?query=cpu_usage_percent", headers=headers)
    with closing(connection), connection.getresponse() as answer:
        assert answer.status == 200
        while answer.readline() != b"event: incidents\n":
            pass
        yield answer


@pytest.mark.parametrize(
    ("target", "location"),
    [
        ("/alerts?part=Rules&x=%C3%A9", "./alerts?part=Rules&x=%C3%A9"),
        ("/", "./"),
        ("//evil.example/", "./"),
        ("https://evil.example/", "./"),
        ("/\\evil.example/", "./"),
        ("javascript:alert(1)", "./"),
        ("/signout", "./"),
        ("/a\r\nSet-Cookie: x=y", "./"),
        ("", "./"),
    ],
)
def test_after_signing_in_people_land_where_they_wanted_and_never_elsewhere(
    url: str, target: str, location: str
) -> None:
    answer = sign_in(url, "vera", target=target)
    assert (answer.status, answer.headers["location"]) == (303, location)


def test_a_page_below_others_leads_to_the_sign_in_by_a_relative_address(url: str) -> None:
    assert ask(url, "/a/b?c=d").headers["location"] == "../signin?next=/a/b%3Fc%3Dd"


def test_the_cookie_is_for_the_server_alone(url: str) -> None:
    cookie = next(one for one in sign_in(url, "vera").cookies if one.startswith("perf_session="))
    attributes = {part.strip().lower() for part in cookie.split(";")[1:]}
    assert {"httponly", "samesite=lax", "path=/"} <= attributes
    assert "secure" not in attributes


def test_over_https_as_a_known_proxy_says_the_cookie_is_secure_and_the_host_is_kept_to_it(url: str) -> None:
    page = ask(url, "/signin", X_Forwarded_Proto="https", X_Forwarded_For="198.51.100.7")
    assert "secure" in page.cookies[0].lower()
    assert page.headers["strict-transport-security"] == "max-age=31536000"
    assert "strict-transport-security" not in ask(url, "/signin").headers


def test_a_form_without_its_token_or_its_cookie_signs_nobody_in(url: str) -> None:
    cookie, token = form(url)
    good = {"name": "ada", "password": "ada likes tests", "token": token, "next": "/"}
    for fields, sent in (({**good, "token": "x"}, cookie), (good, ""), (good, "perf_form=x")):
        answer = ask(url, "/signin", "POST", urlencode(fields).encode(), Cookie=sent, Content_Type=TYPE)
        assert answer.status == 403
        assert not any(one.startswith("perf_session=") for one in answer.cookies)
    assert ask(url, "/signin", "POST", urlencode(good).encode(), Cookie=cookie, Content_Type=TYPE).status == 303


def test_guessing_is_stopped_for_its_address_and_nobody_elses(url: str) -> None:
    cookie, token = form(url)

    def guess(address: str, name: str, password: str) -> int:
        fields = urlencode({"name": name, "password": password, "token": token}).encode()
        answer = ask(url, "/signin", "POST", fields, Cookie=cookie, Content_Type=TYPE, X_Forwarded_For=address)
        assert (answer.status == 429) == ("retry-after" in answer.headers)
        return answer.status

    assert [guess("203.0.113.5", f"name{number}", "wrong") for number in range(8)] == [401] * 8
    assert guess("203.0.113.5", "vera", "vera likes tests") == 429
    assert guess("203.0.113.6", "vera", "vera likes tests") == 303


def test_signing_out_ends_the_session_for_whoever_copied_the_cookie_too(url: str) -> None:
    cookie = session(url, "otto")
    assert ask(url, "/signout", Cookie=cookie).status == 200
    assert ask(url, "/api/v1/cache", Cookie=cookie).status == 200, "a link alone signs nobody out"
    foreign = ask(url, "/signout", "POST", Cookie=cookie, Origin="https://evil.example")
    assert (foreign.status, foreign.cookies) == (303, [])
    assert ask(url, "/api/v1/cache", Cookie=cookie).status == 200
    assert ask(url, "/signout", "POST", Cookie=cookie, Origin=url).status == 303
    assert ask(url, "/api/v1/cache", Cookie=cookie).status == 401


def test_an_open_websocket_ends_when_an_admin_ends_the_session(url: str) -> None:
    admin, theirs, others = session(url, "ada"), session(url, "otto"), session(url, "vera")
    with socket_of(url, theirs) as socket, socket_of(url, others) as other:
        answer = send(url, "/api/v1/sessions/end", {"name": "otto"}, Cookie=admin, Origin=url)
        assert answer.status == 204
        assert ended(socket) == 1008
        assert other.ping().wait(timeout=60.0)
    assert ask(url, "/api/v1/cache", Cookie=theirs).status == 401
    assert ask(url, "/api/v1/cache", Cookie=session(url, "otto")).status == 200


def test_live_events_end_with_the_session_or_the_key(url: str) -> None:
    admin, theirs = session(url, "ada"), session(url, "otto")
    own = {"Cookie": admin, "Origin": url}
    key = json.loads(send(url, "/api/v1/keys", {"name": "follows", "scopes": ["read"]}, **own).body)
    with (
        followed(url, Cookie=theirs) as person,
        followed(url, Authorization=f"Bearer {key['key']}") as program,
        followed(url, Cookie=admin) as other,
    ):
        assert send(url, "/api/v1/sessions/end", {"name": "otto"}, **own).status == 204
        assert ask(url, f"/api/v1/keys/{key['id']}", "DELETE", **own).status == 200
        for stream in (person, program):
            lines = [stream.readline() for _ in range(200)]
            assert b'data: {"detail":"the session or key is over"}\n' in lines
            assert lines[-1] == b""
        assert b"" not in [other.readline() for _ in range(40)], "the others go on"


def test_an_open_websocket_ends_when_the_session_expires(tmp_path: Path) -> None:
    with guarded_site(tmp_path, settings(session='"8s"')) as found:
        cookie = session(found.url, "vera")
        with socket_of(found.url, cookie) as socket:
            assert ended(socket) == 1008
        assert ask(found.url, "/api/v1/cache", Cookie=cookie).status == 401


def test_sessions_outlive_a_restart_and_end_with_the_password(tmp_path: Path) -> None:
    text = settings()
    with guarded_site(tmp_path, text) as found:
        cookie = session(found.url, "vera")
        ada = session(found.url, "ada")
        assert ask(found.url, "/signout", "POST", Cookie=ada, Origin=found.url).status == 303
    # Other salts, other hashes: as if each had another password; only vera keeps hers.
    again = settings().splitlines()
    old = text.splitlines()
    again[again.index("[access.users.vera]") + 2] = old[old.index("[access.users.vera]") + 2]
    with guarded_site(tmp_path, "\n".join(again)) as found:
        assert ask(found.url, "/api/v1/cache", Cookie=cookie).status == 200
        assert ask(found.url, "/api/v1/cache", Cookie=ada).status == 401, "signed out before the restart"


def test_a_session_changes_something_with_proof_of_its_page_only(url: str) -> None:
    cookie = session(url, "ada")
    token = json.loads(ask(url, "/api/v1/me", Cookie=cookie).body)["token"]

    def forget(**headers: str) -> int:
        return send(url, "/api/v1/cache/invalidate", {"key": "x"}, Cookie=cookie, **headers).status

    assert forget() == 403
    assert forget(X_CSRF_Token="x" * 64) == 403
    assert forget(Sec_Fetch_Site="cross-site") == 403
    assert forget(Origin=SHOP) == 403, "an origin of the list has keys, not sessions"
    assert forget(X_CSRF_Token=token) == 200
    assert forget(Origin=url) == 200
    assert forget(Sec_Fetch_Site="same-origin") == 200


def test_a_key_does_what_its_scopes_say_and_no_more(url: str) -> None:
    admin = session(url, "ada")

    def made(*scopes: str) -> str:
        answer = send(url, "/api/v1/keys", {"name": "k", "scopes": scopes}, Cookie=admin, Origin=url)
        return str(json.loads(answer.body)["key"])

    def outcomes(key: str) -> list[int]:
        asked = [
            ("/api/v1/cache", "GET"),
            ("/v1/metrics", "POST"),
            ("/api/v1/alerts/test", "POST"),
            ("/api/v1/keys", "GET"),
        ]
        return [ask(url, path, method, X_API_Key=key).status for path, method in asked]

    assert outcomes(made("read")) == [200, 403, 403, 403]
    assert outcomes(made("ingest"))[0::3] == [403, 403]
    assert outcomes(made("ingest"))[1] not in (401, 403)
    assert outcomes(made("operate"))[2] not in (401, 403)
    assert outcomes("perf_000000000000_" + "x" * 43) == [401] * 4
    assert outcomes("anything") == [401] * 4


def test_only_a_digest_of_a_key_is_kept(folder: Path, url: str) -> None:
    admin = session(url, "ada")
    key = json.loads(send(url, "/api/v1/keys", {"name": "secret", "scopes": ["read"]}, Cookie=admin, Origin=url).body)
    listed = ask(url, "/api/v1/keys", Cookie=admin).body.decode()
    assert key["id"] in listed
    assert key["key"] not in listed
    secret = key["key"].split("_", 2)[2].encode()  # which may hold a _, too
    assert len(secret) == 43
    assert all(secret not in content(file) for file in folder.iterdir() if file.is_file())


def test_a_page_of_an_allowed_origin_asks_with_a_key_and_others_can_not_read(url: str) -> None:
    admin = session(url, "ada")
    key = json.loads(send(url, "/api/v1/keys", {"name": "shop", "scopes": ["read"]}, Cookie=admin, Origin=url).body)[
        "key"
    ]
    asked = {"Access_Control_Request_Method": "GET", "Access_Control_Request_Headers": "authorization"}
    before = ask(url, "/api/v1/cache", "OPTIONS", Origin=SHOP, **asked)
    assert (before.status, before.headers["access-control-allow-origin"]) == (204, SHOP)
    assert before.headers["access-control-allow-headers"] == "authorization"
    answer = ask(url, "/api/v1/cache", Origin=SHOP, Authorization=f"Bearer {key}")
    assert (answer.status, answer.headers["access-control-allow-origin"]) == (200, SHOP)
    assert "access-control-allow-credentials" not in answer.headers

    evil = "https://evil.example"
    assert ask(url, "/api/v1/cache", "OPTIONS", Origin=evil, **asked).status in (401, 403)
    assert "access-control-allow-origin" not in ask(url, "/api/v1/cache", Origin=evil, X_API_Key=key).headers


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("perf.example", 401),
        ("PERF.example:1", 401),
        ("192.0.2.1", 401),
        ("[2001:db8::1]:80", 401),
        ("evil.example", 421),
    ],
)
def test_known_names_and_addresses_in_figures_are_answered(url: str, host: str, status: int) -> None:
    assert ask(url, "/api/v1/cache", Host=host).status == status


def test_every_change_is_in_the_audit_log_with_before_and_after(url: str) -> None:
    cookie = session(url, "otto")
    own = {"Cookie": cookie, "Origin": url, "X_Forwarded_For": "198.51.100.9"}
    rule = {"name": "audited", "condition": "name == 'x' and value > 1"}
    made = send(url, "/api/v1/alerts/rules", rule, **own)
    assert made.status == 201, made
    path = f"/api/v1/alerts/rules/{json.loads(made.body)['id']}"
    assert send(url, path, {**rule, "condition": "name == 'x' and value > 2"}, "PUT", **own).status == 200
    assert ask(url, path, "DELETE", **own).status == 204
    assert send(url, "/api/v1/cache/invalidate", {"key": "x"}, **own).status == 200

    admin = session(url, "ada")
    # The newest of them; it is noted when its answer has been sent.
    eventually(lambda: audit(url, admin, "who=otto&action=cache.invalidate&limit=1"))
    found = audit(url, admin, "who=otto&from=now-5m")
    drop, put, add = [one for one in found if one["action"].startswith("rule.")][:3]
    assert [one["action"] for one in (add, put, drop)] == ["rule.save", "rule.save", "rule.drop"]
    assert (add["before"], drop["after"]) == ("", "")
    assert "value > 1" in put["before"]
    assert "value > 2" in put["after"]
    assert {(one["via"], one["address"]) for one in (add, put, drop)} == {("password", "198.51.100.9")}
    assert any((one["action"], one["subject"]) == ("cache.invalidate", "key x") for one in found)


def test_sign_ins_and_failures_are_in_the_audit_log(url: str) -> None:
    sign_in(url, "=cmd()", "wrong")
    admin = session(url, "ada")
    failed = "action=sign-in.failed&limit=1"  # the newest; entries are kept a moment later
    found = eventually(lambda: [one for one in audit(url, admin, failed) if one["subject"] == "=cmd()"])
    assert found[0]["who"] == "nobody"
    eventually(lambda: audit(url, admin, "who=ada&action=sign-in"))
    file = ask(url, "/api/v1/audit?action=sign-in&format=csv", Cookie=admin)
    assert file.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(file.body.decode())))
    assert any(row["subject"] == "'=cmd()" for row in rows), "no formula for a spreadsheet"
    assert {"sign-in", "sign-in.failed"} <= {row["action"] for row in rows}


def test_no_password_is_in_the_log_or_the_audit(folder: Path, url: str) -> None:
    sign_in(url, "ada", "a secret typed wrongly")
    session(url, "ada")
    assert "a secret typed" not in (folder / "dashboard.log").read_text(encoding="utf-8")
    assert "a secret typed" not in ask(url, "/api/v1/audit", Cookie=session(url, "ada")).body.decode()


@pytest.fixture
def commands() -> Iterator[Nursery]:
    """Starts the command line."""
    with nursery("perf.cli") as found:
        yield found


def test_the_command_line_of_the_same_machine_needs_no_key(folder: Path, url: str, commands: Nursery) -> None:
    env = environment(PERF_CONFIG=str(folder / "perf.toml"), PERF_STORE__PATH=str(folder / "perf.duckdb"))

    def perf(*words: str, **more: str) -> subprocess.CompletedProcess[str]:
        return commands.run(*words, env={**env, **more})

    made = perf("keys", "create", "from the shell", "--scope", "read", "--expires", "1h")
    key = made.stdout.strip()
    assert ask(url, "/api/v1/cache", X_API_Key=key).status == 200, made
    assert "from the shell" in perf("keys", "list").stdout
    there = perf("alerts", "--url", url, PERF_ACCESS__KEY=key)
    assert (there.returncode, there.stdout.strip()) == (0, "nothing fires"), there
    assert "sign in, or send an API key" in perf("alerts", "--url", url).stderr
    assert perf("keys", "revoke", key.split("_")[1]).returncode == 0
    assert ask(url, "/api/v1/cache", X_API_Key=key).status == 401
    assert perf("rules", "list").returncode == 0
    assert "no key 'nothing'" in perf("keys", "revoke", "nothing").stderr


def test_nobody_learns_from_the_sign_in_page_who_there_is(url: str) -> None:
    known, unknown = sign_in(url, "ada", "wrong"), sign_in(url, "nobody-of-this-name", "wrong")
    assert known.status == unknown.status == 401
    blank = [answer.body.replace(b"nobody-of-this-name", b"ada") for answer in (known, unknown)]
    assert len(blank[0]) == len(blank[1])
    assert kept(known)
