"""The note beside the store that says which process owns it and how to talk to it (``<store>.owner``, mode 0600)."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import msgspec

from perf.decoding import from_json


class Owner(msgspec.Struct, frozen=True, kw_only=True):
    """The owning process: *url* of its API, *token* for what only the same user may ask, *started* in Unix seconds."""

    pid: int
    url: str
    token: str
    started: float


def path_for(store: str) -> Path:
    """Where the note for the store at *store* lies."""
    return Path(f"{store}.owner")


def write(store: str, owner: Owner) -> None:
    """Leave the note, readable by this user alone. Raises: OSError."""
    path = path_for(store)
    draft = path.with_name(f"{path.name}.{owner.pid}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(msgspec.json.encode(owner))
        draft.replace(path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise


def read(store: str) -> Owner | None:
    """The note, or None when there is none that can be read; its process may be gone."""
    try:
        return from_json(path_for(store).read_bytes(), Owner)
    except (OSError, msgspec.DecodeError):
        return None


def remove(store: str, pid: int) -> None:
    """Take the note of *pid* away; another owner's stays."""
    owner = read(store)
    if owner is not None and owner.pid == pid:
        with contextlib.suppress(OSError):
            path_for(store).unlink()
