"""The bodies of OTLP over HTTP: protobuf or JSON, plain or gzip, and the answers to them."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, TypeVar

import msgspec
from google.protobuf import json_format
from google.protobuf.message import DecodeError, Message

LARGEST_COMPRESSED = 2**20
LARGEST = 16 * 2**20
"""Bytes of a body as it is sent with gzip, and of one without or after unpacking."""

INVALID, EXHAUSTED, INTERNAL, UNAVAILABLE = 3, 8, 13, 14
"""gRPC's codes in the Status of a refusal."""

_IDS = {"traceId", "spanId", "parentSpanId", "trace_id", "span_id", "parent_span_id"}
_M = TypeVar("_M", bound=Message)


class Encoding(StrEnum):
    """How messages are written."""

    PROTOBUF = "application/x-protobuf"
    JSON = "application/json"


class Broken(ValueError):
    """A body that isn't what its headers say; the message says why."""


class TooLarge(ValueError):
    """A body over the limits."""


def encoding(content_type: str) -> Encoding | None:
    """How a body with this ``Content-Type`` is written; None when it isn't OTLP."""
    media = content_type.partition(";")[0].strip().lower()
    return next((known for known in Encoding if known.value == media), None)


def unpacked(body: bytes) -> bytes:
    """What gzip *body* holds, of one or several members. Raises: TooLarge, Broken."""
    parts: list[bytes] = []
    room = LARGEST
    while body:
        member = zlib.decompressobj(wbits=31)
        try:
            parts.append(member.decompress(body, room + 1))
        except zlib.error as error:
            raise Broken(f"not gzip: {error}") from error
        room -= len(parts[-1])
        if room < 0:
            raise TooLarge(f"at most {LARGEST:,} bytes after unpacking")
        if not member.eof:
            raise Broken("gzip that ends too soon")
        body = member.unused_data
    return b"".join(parts)


def parsed(body: bytes, form: Encoding, message: _M) -> _M:
    """*message* filled from *body*; unknown fields are ignored. Raises: Broken."""
    try:
        if form is Encoding.PROTOBUF:
            message.ParseFromString(body)
        else:
            tree = msgspec.json.decode(body)
            if not isinstance(tree, dict):
                raise Broken("not a JSON object")
            json_format.ParseDict(_with_bytes(tree), message, ignore_unknown_fields=True)
    except (DecodeError, json_format.ParseError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Broken(f"not {form.value}: {str(error)[:200]}") from error
    return message


def written(message: Message, form: Encoding) -> bytes:
    """*message* in its encoding."""
    if form is Encoding.PROTOBUF:
        return message.SerializeToString()
    return json.dumps(json_format.MessageToDict(message)).encode()


def status(code: int, text: str, form: Encoding) -> bytes:
    """A ``google.rpc.Status``: why a request was refused."""
    if form is Encoding.JSON:
        return msgspec.json.encode({"code": code, "message": text})
    # Two fields, by hand: the type is in no package that is needed for anything else.
    said = text.encode()
    return b"\x08" + _varint(code) + b"\x12" + _varint(len(said)) + said


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _with_bytes(tree: Any) -> Any:  # JSON of any shape
    """*tree* with ids as base64, protobuf's own JSON for bytes; OTLP writes them in hex."""
    if isinstance(tree, Mapping):
        return {
            name: _base64(value) if name in _IDS and isinstance(value, str) else _with_bytes(value)
            for name, value in tree.items()
        }
    return [_with_bytes(each) for each in tree] if isinstance(tree, list) else tree


def _base64(value: str) -> str:
    try:
        return base64.b64encode(bytes.fromhex(value)).decode()
    except ValueError as error:
        raise Broken(f"an id that isn't hex: {value[:40]!r}") from error
