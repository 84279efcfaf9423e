"""Sign-in at an OpenID Connect provider: authorization code with PKCE, the ID token verified with the provider's keys."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterable, Mapping
from typing import Any

import requests
from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from perf.access.vouching import Attempt, Person, ProviderError
from perf.model.access import Role
from perf.ports import Clock
from perf.settings.access import AccessSettings, OidcSettings

TIMEOUT = 10.0
"""Seconds that the provider may take for an answer."""
FRESH = 3600.0
"""Seconds for which its description and keys are believed."""
LEEWAY = 60
"""Seconds by which its clock may differ."""
ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
"""Signatures with a public key only: ``none``, and a secret that both know, are refused."""
_RANKS = (Role.ADMIN, Role.OPERATOR, Role.VIEWER)


class Provider:
    """An OpenID Connect provider. Blocks while it asks; may be used from any thread."""

    def __init__(self, settings: AccessSettings, clock: Clock) -> None:
        self._settings = settings.oidc
        self._callback = settings.url.rstrip("/") + "/signin/callback"
        self._clock = clock
        self._lock = threading.Lock()
        self._described: tuple[float, Mapping[str, Any], KeySet] | None = None  # Any: JSON of the provider

    def begin(self, target: str, seconds: float) -> tuple[str, Attempt]:
        """Where the browser is sent, and what must be remembered until it is back. Raises: ProviderError."""
        description, _ = self._description()
        attempt = Attempt(
            state=secrets.token_urlsafe(24),
            nonce=secrets.token_urlsafe(24),
            verifier=secrets.token_urlsafe(48),
            target=target,
            expires=self._clock.now() + seconds,
        )
        with self._session() as session:
            url, _ = session.create_authorization_url(
                description["authorization_endpoint"],
                state=attempt.state,
                code_verifier=attempt.verifier,
                nonce=attempt.nonce,
            )
        return str(url), attempt

    def finish(self, attempt: Attempt, code: str, issuer: str = "") -> Person:
        """Who came back with *code*; *issuer* as the answer names it (RFC 9207), if it does. Raises: ProviderError."""
        description, keys = self._description()
        if issuer and issuer != description["issuer"]:
            raise ProviderError(f"the answer came from {issuer}, not from {description['issuer']}")
        try:
            with self._session() as session:
                token = session.fetch_token(
                    description["token_endpoint"],
                    grant_type="authorization_code",
                    code=code,
                    code_verifier=attempt.verifier,
                    timeout=TIMEOUT,
                )
        except (OAuthError, requests.RequestException, ValueError) as error:
            raise ProviderError(f"{self._settings.issuer} refused the sign-in: {error}") from error
        claims = self._claims(token, attempt.nonce, description["issuer"], keys)
        return Person(name=self._name(claims), role=self._role(claims))

    def _session(self) -> OAuth2Session:
        return OAuth2Session(
            self._settings.client_id,
            self._settings.client_secret or None,
            scope=self._settings.scopes,
            redirect_uri=self._callback,
            code_challenge_method="S256",
        )

    def _description(self) -> tuple[Mapping[str, Any], KeySet]:  # Any: as above
        """What the provider says of itself, and its keys. Raises: ProviderError."""
        now = self._clock.monotonic()
        with self._lock:
            if self._described is not None and now - self._described[0] < FRESH:
                return self._described[1:]
            issuer = self._settings.issuer.rstrip("/")
            found = _asked(f"{issuer}/.well-known/openid-configuration")
            missing = [
                key for key in ("issuer", "authorization_endpoint", "token_endpoint", "jwks_uri") if key not in found
            ]
            if missing:
                raise ProviderError(f"{issuer} does not say its {', '.join(missing)}")
            if str(found["issuer"]).rstrip("/") != issuer:
                raise ProviderError(f"{issuer} calls itself {found['issuer']}; set access.oidc.issuer to that")
            try:
                keys = KeySet.import_key_set(_asked(str(found["jwks_uri"])))  # type: ignore[arg-type]  # checked there
            except (JoseError, ValueError, KeyError, TypeError) as error:
                raise ProviderError(f"the keys of {issuer} can't be read: {error}") from error
            self._described = (now, found, keys)
            return found, keys

    def _claims(
        self, token: Mapping[str, Any], nonce: str, issuer: str, keys: KeySet
    ) -> Mapping[str, Any]:  # Any: claims
        if "id_token" not in token:
            raise ProviderError(f"{issuer} sent no ID token")
        try:
            read = jwt.decode(token["id_token"], keys, algorithms=ALGORITHMS)
            options = {"iss": {"value": issuer}, "aud": {"value": self._settings.client_id}}
            params = {"nonce": nonce, "client_id": self._settings.client_id, "access_token": token.get("access_token")}
            claims = CodeIDToken(read.claims, read.header, options, params)
            claims.validate(now=int(self._clock.now()), leeway=LEEWAY)
        except (JoseError, ValueError, KeyError, TypeError) as error:
            # Its keys may have been changed since they were read: the next attempt reads them anew.
            self._described = None
            raise ProviderError(f"the ID token of {issuer} does not hold: {error}") from error
        found: Mapping[str, Any] = read.claims
        return found

    def _name(self, claims: Mapping[str, Any]) -> str:
        claim = self._settings.name_claim
        if claim == "email" and claims.get("email_verified") is False:
            raise ProviderError("the provider has not verified this e-mail address")
        name = str(_walked(claims, claim) or "")
        if not name or len(name) > 200 or not name.isprintable():
            raise ProviderError(f"the provider sent no usable name: claim {claim!r} (access.oidc.name_claim)")
        return name

    def _role(self, claims: Mapping[str, Any]) -> Role:
        given = _walked(claims, self._settings.role_claim)
        role = role_of(given if isinstance(given, list) else [given], self._settings)
        if role is None:
            raise ProviderError(
                f"no role: claim {self._settings.role_claim!r} has none of the values of access.oidc.roles"
            )
        return role


def role_of(values: Iterable[object], settings: OidcSettings) -> Role | None:
    """The highest role that one of *values* stands for; None when the person is to be refused."""
    found = {settings.roles[str(value)] for value in values if str(value) in settings.roles}
    return next((role for role in _RANKS if role in found), settings.default_role)


def _walked(claims: Mapping[str, Any], path: str) -> object:
    """The claim *path*; one of that very name first, then down the dots (``realm_access.roles``)."""
    if path in claims:
        return claims[path]
    found: object = claims
    for name in path.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def _asked(url: str) -> Mapping[str, Any]:
    try:
        answer = requests.get(url, timeout=TIMEOUT, allow_redirects=False)
        answer.raise_for_status()
        found = answer.json()
    except (requests.RequestException, ValueError) as error:
        raise ProviderError(f"no usable answer from {url}: {error}") from error
    if answer.is_redirect or not isinstance(found, dict):
        raise ProviderError(f"no usable answer from {url}")
    return found
