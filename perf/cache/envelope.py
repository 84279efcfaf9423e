"""What an entry looks like outside the process: a value with a header, authenticated when there is a secret, and read strictly.

The reader decides how an entry must be protected, never the entry: without a secret by a checksum (xxh3-128: against accidents,
not against people), with one by AES-256-GMAC, or AES-256-GCM when it is to be unreadable as well. The name of the key is part of
what is protected, so that a value that was copied to another key is refused.
"""

from __future__ import annotations

import functools
import hashlib
import os
import struct
from hmac import compare_digest
from typing import TYPE_CHECKING, Any, NoReturn

import msgspec
import xxhash

from perf.cache.codecs import Undecodable, Unencodable, decode, encode
from perf.cache.compression import LIMIT, expanded, squeezed
from perf.cache.options import EntryOptions
from perf.errors import CacheError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

CHECKSUM, GMAC, GCM = range(3)
"""How an entry is protected."""

_MAGIC = b"pE"
_VERSION = 1
_HEAD = struct.Struct("<2sBBBBdQ12s")
"""Magic, version, protection, codec, flags, load seconds, plain length, nonce."""

_TAG = 16
_SMALL = 65_536
"""Bytes that are joined for the MAC: to do without takes 3 us more."""
_COMPRESSED, _NEGATIVE = 1, 2
_NO_NONCE = bytes(12)


class Secret(msgspec.Struct, frozen=True):
    """What all who share a cache know. With *encrypt* entries can't be read without it, either.

    Only who has one can allow pickle, which runs code: an entry without authentication could be anybody's.
    """

    key: bytes
    encrypt: bool = False
    allow_pickle: bool = False


class EnvelopeError(CacheError):
    """The bytes are no entry of this cache; *reason* is corrupt, foreign, forged, oversize or codec."""

    def __init__(self, reason: str, message: str = "") -> None:
        super().__init__(f"{reason}: {message}" if message else reason)
        self.reason = reason


class Unsealed(msgspec.Struct, frozen=True):
    """A value from outside: how long it took to load (seconds), and whether it stands for "there is none"."""

    value: Any  # whatever was sealed
    load_seconds: float
    negative: bool


def seal(
    value: object,
    key: str,
    *,
    options: EntryOptions,
    secret: Secret | bytes | None = None,
    load_seconds: float = 0.0,
    negative: bool = False,
) -> bytes:
    """*value* as an entry for *key*, in the codec of *options*.

    Raises: EnvelopeError with reason codec when that can't give it back as it is.
    """
    try:
        codec, plain = encode(value, options.codec, allow_pickle=_pickles(secret))
    except Unencodable as error:
        raise EnvelopeError("codec", str(error)) from error
    body = squeezed(plain) if len(plain) >= options.compress_threshold else plain
    flags = (_COMPRESSED if body is not plain else 0) | (_NEGATIVE if negative else 0)
    how = _protection(secret)
    nonce = _NO_NONCE if how == CHECKSUM else os.urandom(12)
    head = _HEAD.pack(_MAGIC, _VERSION, how, codec, flags, load_seconds, len(plain), nonce)
    named = _name(key)
    if how == CHECKSUM:
        return b"".join((head, body, _checksum(head, body, named)))
    if how == GCM:
        return head + _cipher(secret).encrypt(nonce, body, named + head)
    return b"".join((head, body, _mac(secret, nonce, named + head, body)))


def unseal(data: bytes | memoryview, key: str, *, secret: Secret | bytes | None = None, limit: int = LIMIT) -> Unsealed:
    """What `seal` made of a value for *key* with the same *secret*; *limit* is the most bytes it may take when decompressed.

    Raises: EnvelopeError, and nothing else whatever *data* is.
    """
    codec, flags, load_seconds, length, nonce = _opened(data, secret)
    body = _verified(data, _name(key), nonce, secret)
    if flags & ~(_COMPRESSED | _NEGATIVE):
        raise EnvelopeError("foreign", f"flags {flags}")
    if length > limit:
        raise EnvelopeError("oversize", f"{length} bytes, at most {limit} are allowed")
    try:
        plain = expanded(body, length, limit) if flags & _COMPRESSED else body
    except CacheError as error:
        raise EnvelopeError("corrupt", str(error)) from error
    if len(plain) != length:
        raise EnvelopeError("corrupt", f"{len(plain)} bytes, not {length}")
    try:
        value = decode(codec, plain, allow_pickle=_pickles(secret))
    except Undecodable as error:
        raise EnvelopeError("codec", str(error)) from error
    return Unsealed(value, load_seconds, bool(flags & _NEGATIVE))


def _opened(data: bytes | memoryview, secret: Secret | bytes | None) -> tuple[int, int, float, int, bytes]:
    """Codec, flags, load seconds, plain length and nonce, none of them verified."""
    if len(data) < _HEAD.size + _TAG:
        raise EnvelopeError("corrupt", f"{len(data)} bytes")
    magic, version, how, *rest = _HEAD.unpack_from(data)
    if magic != _MAGIC or version != _VERSION:
        raise EnvelopeError("foreign", "not an entry of this version")
    if how != _protection(secret):
        raise EnvelopeError("forged" if secret else "foreign", "protected otherwise than this cache demands")
    codec, flags, load_seconds, length, nonce = rest
    return codec, flags, load_seconds, length, nonce


def _pickles(secret: Secret | bytes | None) -> bool:
    return isinstance(secret, Secret) and secret.allow_pickle


def _protection(secret: Secret | bytes | None) -> int:
    if not secret:
        return CHECKSUM
    return GCM if isinstance(secret, Secret) and secret.encrypt else GMAC


def _name(key: str) -> bytes:
    """The key, and how long it is: what follows can't be taken for a part of it."""
    name = key.encode("utf-8", "surrogatepass")
    return b"%d:%b" % (len(name), name)


def _checksum(head: bytes | memoryview, body: bytes | memoryview, named: bytes) -> bytes:
    # Two digests and not one over a join, which would copy the body.
    return xxhash.xxh3_128_digest(b"".join((named, head, xxhash.xxh3_128_digest(body))))


def _verified(
    data: bytes | memoryview, named: bytes, nonce: bytes, secret: Secret | bytes | None
) -> bytes | memoryview:
    """The body, which is what its writer wrote for this key."""
    view = memoryview(data)
    head, body, tag = view[: _HEAD.size], view[_HEAD.size : -_TAG], view[-_TAG:]
    how = _protection(secret)
    if how == CHECKSUM:
        if _checksum(head, body, named) != tag:
            raise EnvelopeError("corrupt", "the checksum differs")
        return body
    if how == GMAC:
        if not compare_digest(_mac(secret, nonce, b"".join((named, head)), body), tag):
            _forged()
        return body
    from cryptography.exceptions import InvalidTag

    try:
        return _cipher(secret).decrypt(nonce, view[_HEAD.size :], b"".join((named, head)))
    except InvalidTag:
        _forged()


def _mac(secret: Secret | bytes | None, nonce: bytes, first: bytes, body: bytes | memoryview) -> bytes:
    """The tag of *first* and *body*."""
    cipher = _cipher(secret)
    if len(body) < _SMALL:
        return cipher.encrypt(nonce, b"", b"".join((first, body)))
    # The same in steps: to join them would copy 1 MB, and its fresh pages cost ten times what is computed here.
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    steps = Cipher(algorithms.AES(_key(secret)), modes.GCM(nonce)).encryptor()
    steps.authenticate_additional_data(first)
    steps.authenticate_additional_data(body)
    steps.finalize()
    return steps.tag


def _forged() -> NoReturn:
    raise EnvelopeError("forged", "not written for this key by who knows the secret") from None


def _cipher(secret: Secret | bytes | None) -> AESGCM:
    return _derived(*_known(secret))[1]


def _key(secret: Secret | bytes | None) -> bytes:
    return _derived(*_known(secret))[0]


def _known(secret: Secret | bytes | None) -> tuple[bytes, bool]:
    return (secret.key, secret.encrypt) if isinstance(secret, Secret) else (secret or b"", False)


@functools.lru_cache(maxsize=16)
def _derived(key: bytes, encrypt: bool) -> tuple[bytes, AESGCM]:  # noqa: FBT001 - only positional arguments make one cache key
    """A key made of *key*, and its cipher; authentication and encryption get keys of their own.

    Nonces are random: one secret is good for 2**32 entries (NIST SP 800-38D, 8.3).
    """
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    purpose = b"perf cache gcm" if encrypt else b"perf cache gmac"
    made = hashlib.blake2b(key, digest_size=32, person=purpose).digest()
    return made, AESGCM(made)
