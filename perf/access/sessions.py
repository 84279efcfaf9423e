"""Sessions of people: a signed cookie says who it is and until when. What ends one early is kept by the store."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import secrets
from pathlib import Path
from typing import TypeVar

import msgspec
from itsdangerous import BadData, URLSafeSerializer

from perf.decoding import converted
from perf.errors import SettingsError
from perf.model.access import Role
from perf.settings import Settings

COOKIE = "perf_session"
_T = TypeVar("_T", bound=msgspec.Struct)


class Session(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Somebody who is signed in; *role* is that of a provider's person, a user's stands in the settings, under *print* of the hash."""

    id: str
    name: str
    via: str
    began: float
    expires: float
    role: Role | None = None
    print: str = ""


class Signer:
    """Signs sessions and forms with one secret."""

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()
        self._serializer = URLSafeSerializer(secret, signer_kwargs={"digest_method": hashlib.sha256})

    def sealed(self, value: msgspec.Struct) -> str:
        """*value* as that of a cookie."""
        salt = type(value).__name__  # A session must not pass for something else that was signed.
        return str(self._serializer.dumps(msgspec.to_builtins(value), salt=salt))

    def opened(self, cookie: str, kind: type[_T]) -> _T | None:
        """What *cookie* holds, if it is a *kind* that was signed here."""
        try:
            return converted(self._serializer.loads(cookie, salt=kind.__name__), kind)
        except (BadData, msgspec.ValidationError, UnicodeError, RecursionError):
            return None

    def token(self, *parts: str) -> str:
        """What proves that *parts* came from here: the hidden field of a form."""
        return hmac.new(self._secret, "\0".join(("form", *parts)).encode(), hashlib.sha256).hexdigest()


def secret_of(settings: Settings) -> str:
    """The secret of *settings*; without one that of the file beside the store, made at the first time (mode 0600).

    A store in memory has a new one at every start. Raises: SettingsError when the file can't be written or read.
    """
    if settings.access.secret:
        return settings.access.secret
    if settings.store.backend != "duckdb":
        return secrets.token_urlsafe(32)
    path = Path(f"{settings.store.path}.secret")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            _made(path)
        found = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: the secret that signs sessions: {error}; or set access.secret") from error
    if len(found) < 32:
        raise SettingsError(f"{path}: too short to sign sessions with; remove the file, and everybody signs in anew")
    return found


def _made(path: Path) -> None:
    """Write a new secret where there is none. Raises: FileExistsError, OSError."""
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as file:
        file.write(secrets.token_urlsafe(48))
    try:
        # Whole or not at all, and never over another process's.
        os.link(draft, path)
    finally:
        draft.unlink()
