"""Sessions are signed, and what signs them is kept."""

from __future__ import annotations

import stat
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perf.access.sessions import Session, Signer, secret_of
from perf.access.vouching import Attempt
from perf.errors import SettingsError
from perf.settings import AccessSettings, Settings, StoreSettings

SESSION = Session(id="s1", name="ada é", via="password", began=1.0, expires=2.5, print="x")
SECRET = "s" * 32


def test_a_sealed_session_is_opened_by_whoever_has_the_secret_only() -> None:
    cookie = Signer(SECRET).sealed(SESSION)
    assert Signer(SECRET).opened(cookie, Session) == SESSION
    assert Signer("t" * 32).opened(cookie, Session) is None


@given(at=st.integers(0, 10_000), letter=st.sampled_from("abcXYZ019._-"))
def test_no_changed_cookie_is_opened(at: int, letter: str) -> None:
    """Law: a cookie with any one character replaced by another opens nothing, or what was sealed."""
    signer = Signer(SECRET)
    cookie = signer.sealed(SESSION)
    at %= len(cookie)
    changed = cookie[:at] + letter + cookie[at + 1 :]
    # The last character of base64 has bits that mean nothing.
    assert signer.opened(changed, Session) in ((SESSION,) if changed == cookie else (None, SESSION))
    assert at == len(cookie) - 1 or changed == cookie or signer.opened(changed, Session) is None


@given(text=st.text(max_size=200))
def test_any_text_is_refused_quietly(text: str) -> None:
    assert Signer(SECRET).opened(text, Session) is None


def test_what_was_signed_for_something_else_is_no_session() -> None:
    signer = Signer(SECRET)
    attempt = Attempt(state="a", nonce="b", verifier="c", target="/", expires=9e9)
    assert signer.opened(signer.sealed(attempt), Session) is None
    assert signer.opened(signer.sealed(attempt), Attempt) == attempt


def test_a_token_belongs_to_its_parts_and_its_secret() -> None:
    signer = Signer(SECRET)
    assert signer.token("a", "b") == Signer(SECRET).token("a", "b")
    assert len({signer.token("a", "b"), signer.token("ab"), signer.token("a"), Signer("t" * 32).token("a", "b")}) == 4


def test_the_secret_is_made_once_beside_the_store_for_this_user_alone(tmp_path: Path) -> None:
    settings = Settings(store=StoreSettings(path=str(tmp_path / "new" / "perf.duckdb")))
    first = secret_of(settings)
    file = tmp_path / "new" / "perf.duckdb.secret"
    assert len(first) >= 32
    assert secret_of(settings) == first == file.read_text(encoding="ascii")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_a_configured_secret_wins_and_a_store_in_memory_has_a_new_one_each_time(tmp_path: Path) -> None:
    given = Settings(access=AccessSettings(secret=SECRET), store=StoreSettings(path=str(tmp_path / "perf.duckdb")))
    assert secret_of(given) == SECRET
    assert list(tmp_path.iterdir()) == []
    memory = msgspec.structs.replace(given, access=AccessSettings(), store=StoreSettings(backend="memory"))
    assert secret_of(memory) != secret_of(memory)


def test_a_broken_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    file = tmp_path / "perf.duckdb.secret"
    file.write_text("short", encoding="ascii")
    with pytest.raises(SettingsError, match=r"perf\.duckdb\.secret: too short"):
        secret_of(Settings(store=StoreSettings(path=str(tmp_path / "perf.duckdb"))))
