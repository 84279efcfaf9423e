"""Values as compressed bytes that describe themselves, and the bounded compression below: Zstandard, level 1."""

from __future__ import annotations

import struct
from typing import Any

import xxhash
import zstandard

from perf.cache.codecs import Undecodable, decode, encode
from perf.errors import CacheError

LIMIT = 256 * 2**20
"""Bytes that a value may have when decompressed, unless the caller knows better."""

_LEVEL = 1
_SAMPLE = 4096
_WORTH = 0.9
"""Of its size: what doesn't shrink below that stays as it is."""

_HEAD = struct.Struct("<3sBBQ")
_SUM = 8
_MAGIC = b"pz1"


def compress_data(data: object) -> bytes:
    r"""*data* (bytes, text, or anything that a cache tier outside the process can hold) as bytes for `decompress_data`.

    What doesn't shrink is kept as it is.

    >>> packed = compress_data({"name": "perf", "sizes": (1, 2)})
    >>> decompress_data(packed)
    {'name': 'perf', 'sizes': (1, 2)}
    >>> len(compress_data("one line of a log\n" * 1000)) < 200
    True

    Raises: CacheError when no codec can give *data* back as it is.
    """
    codec, plain = encode(data)
    body = squeezed(plain)
    head = _HEAD.pack(_MAGIC, codec, body is not plain, len(plain))
    return b"".join((head, _checksum(head, body), body))


def decompress_data(data: bytes, *, limit: int = LIMIT) -> Any:  # Any: whatever was compressed
    """What `compress_data` was given, of the same type; *limit* is the most bytes it may take when decompressed.

    Raises: CacheError when *data* is damaged, too large, or from elsewhere.
    """
    if len(data) < _HEAD.size + _SUM or data[: len(_MAGIC)] != _MAGIC:
        raise CacheError("not data that perf compressed")
    head, body = data[: _HEAD.size], memoryview(data)[_HEAD.size + _SUM :]
    if _checksum(head, body) != data[_HEAD.size : _HEAD.size + _SUM]:
        raise CacheError("damaged")
    _, codec, compressed, length = _HEAD.unpack(head)
    try:
        return decode(codec, expanded(body, length, limit) if compressed else body)
    except Undecodable as error:
        raise CacheError(f"not data that perf compressed: {error}") from error


def squeezed(plain: bytes) -> bytes:
    """*plain* compressed, or itself when that doesn't shrink it by a tenth."""
    if len(plain) > 4 * _SAMPLE:
        # A look at the middle: compressing a large value for nothing takes milliseconds.
        middle = len(plain) // 2
        sample = plain[middle : middle + _SAMPLE]
        if len(zstandard.compress(sample, _LEVEL)) > _WORTH * len(sample):
            return plain
    # One compressor per call: they must not be shared by threads.
    found = zstandard.compress(plain, _LEVEL)
    return found if len(found) <= _WORTH * len(plain) else plain


def expanded(body: bytes | memoryview, length: int, limit: int) -> bytes:
    """The *length* bytes that *body* was made of, at most *limit*, whatever *body* says of itself.

    Raises: CacheError when it is larger, damaged, or holds another number of bytes.
    """
    if length > limit:
        raise CacheError(f"{length} bytes when decompressed; at most {limit} are allowed")
    try:
        if zstandard.frame_content_size(body) != length:
            raise CacheError("the compressed bytes are of another size than promised")
        return zstandard.ZstdDecompressor().decompress(body, max_output_size=length, allow_extra_data=False)
    except (zstandard.ZstdError, MemoryError) as error:
        raise CacheError(f"damaged: {error}") from error


def _checksum(head: bytes, body: bytes | memoryview) -> bytes:
    return xxhash.xxh3_64_digest(head + xxhash.xxh3_64_digest(body))
