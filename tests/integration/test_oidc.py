"""Sign-in at a real OpenID Connect provider on loopback, and what of its answers is refused."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import requests
from joserfc import jwt
from joserfc.jwk import KeySet, OctKey, RSAKey

from perf.access.oidc import Provider
from perf.access.vouching import ProviderError
from perf.clock import SystemClock
from perf.model.access import Role
from perf.settings import AccessSettings, OidcSettings
from tests.services import answers, environment, eventually, free_port, program
from tests.signedin import Answer, ask, guarded_site, kept

PROVIDER = Path(__file__).with_name("oidc_provider.py")
TOML = """
[access]
url = "{url}"
[access.oidc]
issuer = "{issuer}"
client_id = "perf"
client_secret = "between us two"
roles = {{ sre = "operator", platform = "admin" }}
"""


class Stage(NamedTuple):
    """A dashboard and its provider."""

    url: str
    issuer: str


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with program([sys.executable, str(PROVIDER), str(port)], env=environment()):
        eventually(lambda: answers(f"{url}/.well-known/openid-configuration"), seconds=60.0)
        yield url


@pytest.fixture(scope="module")
def stage(issuer: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    # The address is fixed before the dashboard has its port: the provider only hands it back.
    text = TOML.format(url="http://perf.test", issuer=issuer)
    with guarded_site(tmp_path_factory.mktemp("oidc"), text) as found:
        yield Stage(found.url, issuer)


def _left(stage: Stage, target: str = "/") -> tuple[str, str]:
    """Where the browser is sent, and the cookie of the attempt."""
    answer = ask(stage.url, f"/signin/oidc?{urlencode({'next': target})}")
    assert answer.status == 302, answer
    return answer.headers["location"], kept(answer)


def _vouched(address: str, person: str) -> dict[str, str]:
    """What the provider sends back with *person*, who says yes on its page."""
    answer = requests.post(address, data={"sub": person}, allow_redirects=False, timeout=10.0)
    assert answer.status_code == 302, answer.text
    return {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["location"]).query).items()}


def _back(stage: Stage, query: dict[str, str], cookie: str) -> Answer:
    return ask(stage.url, f"/signin/callback?{urlencode(query)}", Cookie=cookie)


def _signed_in(stage: Stage, person: str, target: str = "/") -> Answer:
    address, cookie = _left(stage, target)
    return _back(stage, _vouched(address, person), cookie)


def test_the_provider_is_asked_with_all_that_guards_the_way(stage: Stage) -> None:
    address, _ = _left(stage)
    query = parse_qs(urlsplit(address).query)
    assert address.startswith(f"{stage.issuer}/oauth2/authorize?")
    assert query["redirect_uri"] == ["http://perf.test/signin/callback"]
    assert query["response_type"] == ["code"]
    assert query["code_challenge_method"] == ["S256"]
    assert len(query["code_challenge"][0]) == 43
    assert min(len(query["state"][0]), len(query["nonce"][0])) >= 32


def test_whoever_the_provider_vouches_for_lands_where_they_wanted_with_their_role(stage: Stage) -> None:
    answer = _signed_in(stage, "olga", "/alerts?part=Rules")
    assert (answer.status, answer.headers["location"]) == (303, "../alerts?part=Rules")
    me = ask(stage.url, "/api/v1/me", Cookie=kept(answer))
    assert b'"name":"olga@example.com","via":"oidc","scopes":["public","read","operate"]' in me.body
    assert ask(stage.url, "/api/v1/keys", Cookie=kept(answer)).status == 403


def test_the_highest_role_counts(stage: Stage) -> None:
    assert ask(stage.url, "/api/v1/keys", Cookie=kept(_signed_in(stage, "adam"))).status == 200


@pytest.mark.parametrize(
    ("person", "reason"), [("gast", "no role"), ("fake", "has not verified this e-mail address")], ids=["role", "mail"]
)
def test_whoever_has_no_role_or_no_proven_name_is_refused(stage: Stage, person: str, reason: str) -> None:
    answer = _signed_in(stage, person)
    assert answer.status == 403
    assert reason in answer.body.decode()
    assert not any("perf_session" in cookie for cookie in answer.cookies)


def test_an_answer_to_somebody_elses_attempt_signs_nobody_in(stage: Stage) -> None:
    address, _ = _left(stage)
    answered = _vouched(address, "adam")
    _, others = _left(stage)
    for cookie in ("", others, "perf_attempt=forged"):
        answer = _back(stage, answered, cookie)
        assert answer.status == 403
        assert not any("perf_session" in one for one in answer.cookies)


def test_a_code_works_once(stage: Stage) -> None:
    address, cookie = _left(stage)
    answered = _vouched(address, "adam")
    assert _back(stage, answered, cookie).status == 303
    again = _back(stage, answered, cookie)
    assert again.status == 403
    assert "refused the sign-in" in again.body.decode()


def test_a_code_of_another_attempt_is_refused_by_its_proof(stage: Stage) -> None:
    theirs = _vouched(_left(stage)[0], "adam")
    address, cookie = _left(stage)
    own = _vouched(address, "olga")
    assert _back(stage, {**own, "code": theirs["code"]}, cookie).status == 403


def test_what_the_provider_refuses_is_said(stage: Stage) -> None:
    address, cookie = _left(stage)
    state = parse_qs(urlsplit(address).query)["state"][0]
    answer = _back(stage, {"error": "access_denied", "error_description": "<b>no</b>", "state": state}, cookie)
    assert answer.status == 403
    assert "access_denied &lt;b&gt;no&lt;/b&gt;" in answer.body.decode()


def test_the_page_has_a_button_and_no_fields_without_passwords(stage: Stage) -> None:
    page = ask(stage.url, "/signin?next=/alerts").body.decode()
    assert re.search(r'href="\./signin/oidc\?next=/alerts"', page)
    assert "password" not in page
    assert "Passwords" not in page


def test_an_id_token_holds_only_with_the_providers_key_and_our_claims(issuer: str) -> None:
    clock = SystemClock()
    oidc = OidcSettings(issuer=issuer, client_id="perf", default_role=Role.VIEWER)
    provider = Provider(AccessSettings(url="http://perf.test", oidc=oidc), clock)
    description, _ = provider._description()
    own = RSAKey.generate_key(2048, {"kid": "1"})
    now = int(clock.now())
    good = {
        "iss": description["issuer"],
        "aud": "perf",
        "sub": "x",
        "email": "x@y.z",
        "exp": now + 300,
        "iat": now,
        "nonce": "n",
    }

    def claims(changed: dict[str, object], key: object = own, algorithm: str = "RS256") -> object:
        token = jwt.encode({"alg": algorithm, "kid": "1"}, {**good, **changed}, key, algorithms=["RS256", "HS256"])  # type: ignore[arg-type]  # any key
        return provider._claims({"id_token": token}, "n", description["issuer"], KeySet([own]))

    assert claims({})
    wrong: list[dict[str, object]] = [
        {"iss": "https://evil.example"},
        {"aud": "another"},
        {"aud": ["another"]},
        {"nonce": "m"},
        {"exp": now - 3600},
        {"iat": now + 3600},
        {"azp": "another"},
        {"exp": None},
    ]
    for changed in wrong:
        with pytest.raises(ProviderError, match="does not hold"):
            claims(changed)
    with pytest.raises(ProviderError, match="does not hold"):
        claims({}, RSAKey.generate_key(2048, {"kid": "1"}))
    with pytest.raises(ProviderError, match="does not hold"):
        claims({}, OctKey.import_key("between us two, and everybody else", {"kid": "1"}), "HS256")


def test_a_provider_that_is_away_is_a_sentence_on_the_page(tmp_path: Path) -> None:
    text = TOML.format(url="http://perf.test", issuer=f"http://127.0.0.1:{free_port()}")
    with guarded_site(tmp_path, text) as found:
        answer = ask(found.url, "/signin/oidc")
        assert answer.status == 403
        assert "Not signed in: no usable answer from http://127.0.0.1" in answer.body.decode()
