"""What a sign-in at a provider is about, without the libraries that do it."""

from __future__ import annotations

import msgspec

from perf.errors import PerfError
from perf.model.access import Role


class ProviderError(PerfError):
    """The provider can't be reached, refused, or says something that isn't proven; or the person has no role."""


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """A sign-in under way: what must come back, and where the person wanted to go."""

    state: str
    nonce: str
    verifier: str
    target: str
    expires: float


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """Whom the provider vouches for."""

    name: str
    role: Role
