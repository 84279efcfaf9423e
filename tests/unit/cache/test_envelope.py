"""An envelope is opened only by who may, for the key it was written for, and never surprises who opens it."""

from __future__ import annotations

import random
import struct
from time import thread_time

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perf.cache import envelope
from perf.cache.arrowstream import compressed
from perf.cache.envelope import EnvelopeError, Secret, seal, unseal
from perf.cache.options import EntryOptions

OPTIONS = EntryOptions()
SECRETS = [None, b"secret", Secret(b"secret"), Secret(b"secret", encrypt=True)]
VALUE = {"name": "perf" * 600, "sizes": (1, 2.5)}


def reason(data: bytes, key: str = "key", secret: Secret | bytes | None = None, limit: int = 1 << 20) -> str:
    with pytest.raises(EnvelopeError) as caught:
        unseal(data, key, secret=secret, limit=limit)
    return caught.value.reason


@pytest.mark.parametrize("secret", SECRETS, ids=repr)
@pytest.mark.parametrize("threshold", [0, 1 << 30])
def test_round_trip(secret: Secret | bytes | None, threshold: int) -> None:
    options = EntryOptions(compress_threshold=threshold)
    data = seal(VALUE, "key", options=options, secret=secret, load_seconds=1.5, negative=True)
    found = unseal(data, "key", secret=secret)
    assert (found.value, found.load_seconds, found.negative) == (VALUE, 1.5, True)
    assert (len(data) < 300) == (threshold == 0)


def test_only_what_is_encrypted_is_unreadable() -> None:
    options = EntryOptions(compress_threshold=1 << 30)
    assert b"perfperf" in seal(VALUE, "key", options=options, secret=Secret(b"x"))
    assert b"perfperf" not in seal(VALUE, "key", options=options, secret=Secret(b"x", encrypt=True))


@pytest.mark.parametrize("secret", SECRETS, ids=repr)
def test_every_changed_or_missing_byte_is_noticed_and_quickly(secret: Secret | bytes | None) -> None:
    good = seal(VALUE, "key", options=OPTIONS, secret=secret)
    started = thread_time()
    chance = random.Random(1)
    for place in range(len(good)):
        broken = bytearray(good)
        broken[place] ^= 1 << chance.randrange(8)
        assert reason(bytes(broken), secret=secret) in ("corrupt", "foreign", "forged")
        assert reason(good[:place], secret=secret) in ("corrupt", "forged")
    assert reason(good + b"x", secret=secret) in ("corrupt", "forged")
    assert (thread_time() - started) / len(good) < 0.1


@pytest.mark.parametrize("secret", SECRETS, ids=repr)
def test_an_entry_copied_to_another_key_is_refused(secret: Secret | bytes | None) -> None:
    data = seal(VALUE, "key", options=OPTIONS, secret=secret)
    assert reason(data, "other", secret) == ("forged" if secret else "corrupt")


def test_the_reader_decides_how_an_entry_must_be_protected() -> None:
    for written in SECRETS:
        for read in SECRETS:
            data = seal(VALUE, "key", options=OPTIONS, secret=written)
            same = envelope._protection(written) == envelope._protection(read)
            if not same:
                assert reason(data, secret=read) == ("forged" if read else "foreign")
    assert reason(seal(VALUE, "key", options=OPTIONS, secret=b"another"), secret=b"secret") == "forged"


def resealed(data: bytes) -> bytes:
    """*data* with the checksum that an attacker without a secret to know would write."""
    head, body = data[: envelope._HEAD.size], data[envelope._HEAD.size : -16]
    return head + body + envelope._checksum(head, body, b"3:key")


def with_length(data: bytes, length: int) -> bytes:
    place = struct.calcsize("<2sBBBBd")
    return resealed(data[:place] + struct.pack("<Q", length) + data[place + 8 :])


def test_a_bomb_is_refused_whatever_it_says_of_itself() -> None:
    bomb = seal(bytes(50_000_000), "key", options=OPTIONS)
    assert len(bomb) < 10_000
    started = thread_time()
    assert reason(bomb) == "oversize"
    assert reason(with_length(bomb, 1000)) == "corrupt"
    assert reason(with_length(bomb, 2**64 - 1)) == "oversize"
    assert thread_time() - started < 2.0  # 50 MB a second at least


@given(st.binary(max_size=200), st.integers(0, 5), st.integers(0, 255))
@settings(max_examples=1000, deadline=None)
def test_bodies_with_a_right_checksum_raise_nothing_else(body: bytes, codec: int, flags: int) -> None:
    """Law: without a secret anybody can write a right checksum, and still only a value or an EnvelopeError comes out."""
    if codec == 2:  # what is no stream is refused by Arrow; what is one comes from whoever may write to the tier
        body = body[:20]
    head = envelope._HEAD.pack(b"pE", 1, 0, codec, flags, 0.0, len(body), bytes(12))
    try:
        unseal(resealed(head + body + bytes(16)), "key", limit=1000)
    except EnvelopeError as error:
        assert error.reason in ("corrupt", "foreign", "codec", "oversize")


@given(st.binary(max_size=100))
def test_garbage_is_refused(data: bytes) -> None:
    for secret in SECRETS:
        assert reason(data, secret=secret) in ("corrupt", "foreign", "forged")


def test_pickle_needs_a_secret_that_allows_it() -> None:
    options, value = EntryOptions(codec="pickle"), {1: object}
    for refusing in SECRETS:
        with pytest.raises(EnvelopeError, match="codec"):
            seal(value, "key", options=options, secret=refusing)
    allowing = Secret(b"secret", allow_pickle=True)
    data = seal(value, "key", options=options, secret=allowing)
    assert unseal(data, "key", secret=allowing).value == value
    assert reason(data, secret=Secret(b"secret")) == "codec"


def test_what_no_codec_can_hold_is_an_envelope_error() -> None:
    with pytest.raises(EnvelopeError, match="codec"):
        seal(object(), "key", options=OPTIONS)


def stream(table: pa.Table, compression: str | None = "zstd") -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression=compression)) as writer:
        writer.write(table)
    return sink.getvalue().to_pybytes()


def with_body(body: bytes) -> bytes:
    """A frame that `seal` would not write, with a right checksum."""
    head = envelope._HEAD.pack(b"pE", 1, 0, 2, 0, 0.0, len(body), bytes(12))
    return resealed(head + body + bytes(16))


@pytest.mark.parametrize("kind", [b"T", b"B", b"D", b"S", b"P", b"p"])
@pytest.mark.parametrize(
    "column", [pa.array([0]).take(pa.array([0] * 10_000_000)), pa.array(["a"] * 5_000_000).dictionary_encode()], ids=str
)
def test_frames_that_unpack_themselves_are_refused(kind: bytes, column: pa.Array) -> None:
    body = kind + stream(pa.table({"a": column}))
    assert len(body) < 100_000
    with pytest.raises(EnvelopeError, match="compressed columns"):
        unseal(with_body(body), "key")


def test_compression_is_seen_in_any_message() -> None:
    plain, words = pa.table({"a": ["a", "b"]}), pa.table({"a": pa.array(["a" * 999, "b"]).dictionary_encode()})
    assert not compressed(memoryview(stream(plain, None)))
    assert not compressed(memoryview(stream(words, None)))
    assert not compressed(memoryview(stream(plain.slice(0, 0), None)))
    assert compressed(memoryview(stream(plain, "lz4")))
    assert compressed(memoryview(stream(pa.concat_tables([plain.slice(0, 0), plain]))))
    assert compressed(memoryview(stream(words)))


def test_rows_that_nothing_stands_for_are_refused() -> None:
    table = pa.Table.from_batches([pa.record_batch({"a": pa.nulls(2**31 - 1)})])
    table = table.replace_schema_metadata(
        {b"perf": b"\n", b"pandas": pa.Table.from_pandas(pd.DataFrame()).schema.metadata[b"pandas"]}
    )
    with pytest.raises(EnvelopeError, match="nothing stands for"):
        unseal(with_body(b"D" + stream(table, None)), "key")


def test_frames_travel() -> None:
    frame = pd.DataFrame({"a": range(1000)})
    pd.testing.assert_frame_equal(unseal(seal(frame, "key", options=OPTIONS), "key").value, frame)


def test_a_deep_value_is_refused_not_a_crash() -> None:
    body = b"\x91" * 200_000 + b"\xc0"
    head = envelope._HEAD.pack(b"pE", 1, 0, 1, 0, 0.0, len(body), bytes(12))
    assert reason(resealed(head + body + bytes(16))) == "codec"
