"""Zstandard, for bodies that travel between machines. On one machine it would cost more time than it saves."""

from __future__ import annotations

import zstandard

ZSTD = "zstd"
WORTH = 1_400
"""Bytes below which a body fits a packet anyway."""
LARGEST_ANSWER = 256 * 2**20
_LEVEL = 1


class Unpackable(ValueError):
    """A body that isn't what its headers say, or too large."""


def packed(body: bytes | None) -> tuple[bytes | None, bool]:
    """*body*, compressed where that is worth it, and whether it is."""
    if body is None or len(body) < WORTH:
        return body, False
    return zstandard.ZstdCompressor(level=_LEVEL).compress(body), True


def unpacked(body: bytes, largest: int = LARGEST_ANSWER) -> bytes:
    """The content of *body*, at most *largest* bytes. Raises: Unpackable."""
    try:
        if zstandard.get_frame_parameters(body).content_size > largest:  # unknown is larger than anything
            raise Unpackable(f"more than {largest:,} bytes, or of unknown size")
        return zstandard.ZstdDecompressor().decompress(body)
    except zstandard.ZstdError as error:
        raise Unpackable(f"not zstd: {error}") from error
