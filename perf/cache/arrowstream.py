"""Whether an Arrow stream unpacks itself while it is read, found from its framing alone: nothing is decompressed for the answer.

Layout: "IPC streaming format" of https://arrow.apache.org/docs/format/Columnar.html, Message.fbs, and FlatBuffers' internals.
"""

from __future__ import annotations

import struct

_FRAME = struct.Struct("<Ii")
_CONTINUED = 0xFFFFFFFF
_DICTIONARY, _BATCH = 2, 3
_HEADER_TYPE, _HEADER, _BODY_LENGTH = 1, 2, 3
"""Fields of a Message."""
_DATA = 1
"""Field of a DictionaryBatch: its RecordBatch."""
_COMPRESSION = 3
"""Field of a RecordBatch."""


def compressed(stream: memoryview) -> bool:
    """Whether any buffer of *stream* is compressed. Raises: ValueError, struct.error and IndexError for what is no stream."""
    at = 0
    while at < len(stream):
        mark, size = _FRAME.unpack_from(stream, at)
        if mark != _CONTINUED or size < 0:
            raise ValueError("no message of an Arrow stream")
        if not size:
            return False
        at += _FRAME.size
        message = stream[at : at + size]
        root = _target(message, 0)
        if _batch_compressed(message, root):
            return True
        length = _field(message, root, _BODY_LENGTH)
        body = struct.unpack_from("<q", message, length)[0] if length else 0
        if body < 0:
            raise ValueError("a body of less than nothing")
        at += size + body
    return False


def _batch_compressed(message: memoryview, root: int) -> bool:
    kind = _field(message, root, _HEADER_TYPE)
    if not kind or message[kind] not in (_DICTIONARY, _BATCH):
        return False
    batch = _target(message, _field(message, root, _HEADER))
    if message[kind] == _DICTIONARY:
        batch = _target(message, _field(message, batch, _DATA))
    return _field(message, batch, _COMPRESSION) != 0


def _target(message: memoryview, at: int) -> int:
    """Where the offset at *at* leads."""
    return at + int(struct.unpack_from("<I", message, at)[0])


def _field(message: memoryview, table: int, number: int) -> int:
    """Where the field *number* of a table is; 0 when it has none."""
    known = table - struct.unpack_from("<i", message, table)[0]
    if known < 0:
        raise ValueError("a table without fields")
    slot = 4 + 2 * number
    if slot >= struct.unpack_from("<H", message, known)[0]:
        return 0
    offset = int(struct.unpack_from("<H", message, known + slot)[0])
    return table + offset if offset else 0
