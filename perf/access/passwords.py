"""Passwords: hashed with argon2id, verified in the same time whether or not the name is known."""

from __future__ import annotations

import threading
from collections.abc import Mapping

import argon2

from perf.settings.access import User

LONGEST = 1_000
"""Characters of a password; more only costs time."""

_AT_ONCE = threading.BoundedSemaphore(2)
"""A verification takes 64 MiB and 0.2 s of a core: attempts must not take the machine."""
_hasher = argon2.PasswordHasher()
# Of no password: what an unknown name is verified against.
_NOBODYS = "$argon2id$v=19$m=65536,t=3,p=4$MH6B7zVdTjd+9Mll5i1RMA$v1pVShYFh1VQpT0bt7zLEsNJ+eqdb61RNfNmvN/ct+8"


def hashed(password: str) -> str:
    """A hash of *password* for the settings, with a salt of its own."""
    return _hasher.hash(password)


def verified(users: Mapping[str, User], name: str, password: str) -> bool:
    """Whether *password* is that of *name*; takes as long for a name that isn't there."""
    user = users.get(name)
    stored = user.hash if user is not None else _NOBODYS
    with _AT_ONCE:
        try:
            _hasher.verify(stored, password[:LONGEST])
        except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
            return False
    return user is not None and len(password) <= LONGEST
