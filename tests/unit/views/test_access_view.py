"""Who may come in, decided without a server: sessions, keys, roles, and what ends them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import argon2
import msgspec
import pytest

from perf.access.oidc import role_of
from perf.access.vouching import Person
from perf.actor import Actor, acting
from perf.clock import ManualClock
from perf.errors import SettingsError
from perf.model import Window
from perf.model.access import LOCAL, Principal, Role, Scope
from perf.runtime import Runtime
from perf.settings import AccessSettings, OidcSettings, Settings, StoreSettings, User, load
from perf.views.access import SignInError
from perf.views.keys import ApiKeyError, UnknownKey
from tests.unit.api.conftest import quiet

_HASH = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash
USERS = {"ada": User(role=Role.ADMIN, hash=_HASH("one")), "vera": User(hash=_HASH("two"))}
EVER = Window(0.0, 4e9)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    access = AccessSettings(users=USERS, session=3600.0, secret="s" * 32)
    return msgspec.structs.replace(quiet(tmp_path / "perf.duckdb", "memory"), access=access)


@pytest.fixture
def runtime(settings: Settings, clock: ManualClock) -> Iterator[Runtime]:
    made = Runtime(settings, clock)
    made.start()
    yield made
    made.stop()


def cookie_of(runtime: Runtime, name: str, password: str) -> str:
    return runtime.access.signer.sealed(runtime.access.sign_in(name, password, "::1"))


def test_a_session_stands_for_its_person_until_it_is_over(runtime: Runtime, clock: ManualClock) -> None:
    cookie = cookie_of(runtime, "ada", "one")
    assert runtime.access.person(cookie) == Principal(name="ada", via="password", scopes=frozenset(Scope))
    clock.move(3599.0)
    assert runtime.access.person(cookie) is not None
    clock.move(1.0)
    assert runtime.access.person(cookie) is None
    assert runtime.access.person("") is None


def test_a_wrong_password_and_an_unknown_name_are_told_alike(runtime: Runtime) -> None:
    errors = []
    for name in ("ada", "nobody"):
        with pytest.raises(SignInError) as caught:
            runtime.access.sign_in(name, "wrong", "::1")
        errors.append((str(caught.value), caught.value.wait))
    assert errors[0] == errors[1] == ("Name or password is wrong.", 0.0)


def test_the_role_is_the_one_of_now_and_a_changed_password_ends_sessions(
    runtime: Runtime, settings: Settings, clock: ManualClock
) -> None:
    cookie = cookie_of(runtime, "ada", "one")

    def after(users: dict[str, User]) -> Principal | None:
        other = msgspec.structs.replace(settings, access=msgspec.structs.replace(settings.access, users=users))
        again = Runtime(other, clock)
        try:
            return again.access.person(cookie)
        finally:
            again.stop()

    demoted = after({"ada": User(role=Role.VIEWER, hash=USERS["ada"].hash)})
    assert demoted is not None
    assert not demoted.may(Scope.OPERATE)
    assert after({"ada": User(role=Role.ADMIN, hash=_HASH("one"))}) is None
    assert after({"vera": USERS["vera"]}) is None


def test_ending_somebodys_sessions_leaves_others_and_later_ones(runtime: Runtime, clock: ManualClock) -> None:
    first, other = cookie_of(runtime, "ada", "one"), cookie_of(runtime, "vera", "two")
    clock.move(1.0)
    runtime.access.end_sessions("ada", author="vera")
    assert runtime.access.person(first) is None
    assert runtime.access.person(other) is not None
    clock.move(1.0)
    assert runtime.access.person(cookie_of(runtime, "ada", "one")) is not None


def test_a_providers_session_ends_where_there_is_no_provider_any_more(runtime: Runtime) -> None:
    session = runtime.access.vouched(Person(name="olga", role=Role.OPERATOR))
    assert runtime.access.person(runtime.access.signer.sealed(session)) is None


def test_without_anybody_to_sign_in_everybody_is_local(tmp_path: Path, clock: ManualClock) -> None:
    runtime = Runtime(quiet(tmp_path / "perf.duckdb", "memory"), clock)
    assert runtime.access.person("anything") == LOCAL
    runtime.stop()


def test_a_key_opens_until_it_ends_and_its_use_is_noted_by_the_minute(runtime: Runtime, clock: ManualClock) -> None:
    ring = runtime.access.keys
    key, text = ring.create("ci", [Scope.READ, Scope.READ, Scope.PUBLIC], seconds=100.0, author="ada")
    assert key.scopes == (Scope.READ,)
    assert ring.all()[0].last_used is None
    first = clock.now()
    assert ring.principal(text) == Principal(name="ci", via="key", scopes=frozenset({Scope.PUBLIC, Scope.READ}))
    clock.move(59.0)
    ring.principal(text)
    assert ring.all()[0].last_used == first
    clock.move(1.0)
    ring.principal(text)
    assert ring.all()[0].last_used == first + 60.0
    clock.move(40.0)
    assert ring.principal(text) is None
    assert ring.all()[0].state(clock.now()) == "expired"


def test_a_revoked_key_opens_nothing_and_stays_in_the_list(runtime: Runtime) -> None:
    ring = runtime.access.keys
    key, text = ring.create("ci", [Scope.ADMIN], author="ada")
    other = text[:-1] + ("A" if text[-1] != "A" else "B")
    assert ring.principal(other) is None
    assert ring.revoke(key.id, author="ada").revoked is not None
    assert ring.principal(text) is None
    assert [one.id for one in ring.all()] == [key.id]
    with pytest.raises(UnknownKey, match="no key 'x'"):
        ring.revoke("x", author="ada")


@pytest.mark.parametrize(
    ("name", "scopes", "seconds", "reason"),
    [
        (" ", (Scope.READ,), None, "needs a name"),
        ("x" * 101, (Scope.READ,), None, "needs a name"),
        ("a\nb", (Scope.READ,), None, "needs a name"),
        ("ci", (), None, "needs a scope"),
        ("ci", (Scope.PUBLIC,), None, "needs a scope"),
        ("ci", (Scope.READ,), 0.0, "above zero"),
        ("ci", (Scope.READ,), float("nan"), "above zero"),
    ],
    ids=["blank", "long", "line", "nothing", "public", "zero", "nan"],
)
def test_a_key_that_makes_no_sense_is_refused(
    runtime: Runtime, name: str, scopes: tuple[Scope, ...], seconds: float | None, reason: str
) -> None:
    with pytest.raises(ApiKeyError, match=reason):
        runtime.access.keys.create(name, scopes, seconds=seconds, author="ada")
    assert runtime.access.keys.all() == []


def test_the_owners_token_opens_everything(runtime: Runtime) -> None:
    found = runtime.access.program(runtime.token)
    assert found is not None
    assert found.via == "owner"
    assert runtime.access.program(runtime.token + "x") is None


def test_the_audit_log_names_the_acting_person_and_else_whoever_is_named(runtime: Runtime) -> None:
    who = Principal(name="vera", via="key", scopes=frozenset({Scope.READ}))
    audit = runtime.access.audit
    with acting(Actor(who, "192.0.2.1")) as actor:
        audit.note("a", "x", before={"n": 1}, after="y", by="somebody else")
        assert actor.noted
    with acting(Actor(LOCAL)):
        audit.note("b", by="otto")
    audit.note("c", by="a script")
    audit.note("d")
    runtime.writer.call(lambda: None).result(timeout=30.0)
    found = {one.action: one for one in audit.entries(EVER, 10).entries}
    assert [found[action].who for action in "abcd"] == ["vera", "otto", "a script", "perf"]
    assert (found["a"].before, found["a"].after, found["a"].address) == ('{"n":1}', "y", "192.0.2.1")


@pytest.mark.parametrize(
    ("values", "role"),
    [
        (["sre"], Role.OPERATOR),
        (["sre", "platform"], Role.ADMIN),
        (["x"], None),
        ([], None),
        ([None], None),
        ([7], Role.VIEWER),
    ],
)
def test_the_highest_role_of_a_claim_counts(values: list[object], role: Role | None) -> None:
    settings = OidcSettings(roles={"sre": Role.OPERATOR, "platform": Role.ADMIN, "7": Role.VIEWER})
    assert role_of(values, settings) is role
    default = msgspec.structs.replace(settings, default_role=Role.VIEWER)
    assert role_of(values, default) is (role or Role.VIEWER)


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ('[access.users."a b"]\nhash = "$argon2id$x"', "'a b' is no name"),
        ('[access.users.ada]\nhash = "secret"', "access.users.ada.hash: not made by"),
        ('[access.users.ada]\nrole = "root"', "access.users.ada.role"),
        ('[access]\nurl = "perf.example"', "access.url: 'perf.example' is no http or https address"),
        ('[access]\nsecret = "short"', "access.secret: at least 32 characters"),
        ('[access]\norigins = ["https://x/path"]', "access.origins"),
        ('[access]\nhosts = ["x:80"]', "access.hosts"),
        ('[access]\nproxies = ["10.0.0.1/8"]', "access.proxies"),
        ('[access.oidc]\nissuer = "https://i"', "access.oidc.client_id: missing"),
        ('[access.oidc]\nissuer = "https://i"\nclient_id = "p"', "access.url: the provider sends people back there"),
        (
            '[access]\nurl = "https://p"\n[access.oidc]\nissuer = "https://i"\nclient_id = "p"',
            "nobody would have a role",
        ),
    ],
    ids=["name", "hash", "role", "url", "secret", "origin", "host", "proxy", "client", "back", "roles"],
)
def test_settings_that_can_not_work_are_refused_by_name(tmp_path: Path, lines: str, reason: str) -> None:
    file = tmp_path / "perf.toml"
    file.write_text(lines, encoding="utf-8")
    with pytest.raises(SettingsError, match=reason.replace("(", r"\(")):
        load(file, {})


def test_hashes_are_hidden_where_settings_are_shown_and_names_are_no_secrets() -> None:
    from perf import logs
    from perf.settings import in_force

    settings = Settings(access=AccessSettings(users=USERS, key="perf_key"), store=StoreSettings(backend="memory"))
    shown = {described.key: value for described, value in in_force(settings)}
    assert shown["access.users"] == shown["access.key"] == "***"
    secrets = logs.secrets(settings)
    assert USERS["ada"].hash in secrets
    assert "ada" not in secrets
