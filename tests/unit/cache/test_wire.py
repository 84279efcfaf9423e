"""Replies of Redis are read alike however the network cuts them up."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from perf.cache.tiers.wire import LARGEST_ROOM, Link, Links, Refusal, Reply, Room, packed
from perf.errors import TierError

REPLIES = b"$12\r\nvalue\r\nof 12\r\n$-1\r\n:-2\r\n*3\r\n$0\r\n\r\n+OK\r\n*0\r\n-ERR no\r\n*-1\r\n"
MEANT = [b"value\r\nof 12", None, -2, [b"", b"OK", []], "ERR no", None]


@contextmanager
def sending(data: bytes, size: int) -> Iterator[Link]:
    """A link to a server that sends *data*, *size* bytes a packet, and hangs up."""

    def serve(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with connection:
            connection.recv(1_000)
            for start in range(0, len(data), size):
                connection.sendall(data[start : start + size])
                threading.Event().wait(0.000_1)

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        link = Links(f"redis://127.0.0.1:{listener.getsockname()[1]}", 20.0).link()
        yield link
        link.close()
        thread.join()


def plain(reply: Reply) -> object:
    if isinstance(reply, memoryview):
        return bytes(reply)
    if isinstance(reply, Refusal):
        return reply.text
    return [plain(one) for one in reply] if isinstance(reply, list) else reply


def test_commands_are_packed_with_their_lengths() -> None:
    assert packed((b"GET", b"a\r\n"), (b"PING",)) == b"*2\r\n$3\r\nGET\r\n$3\r\na\r\n\r\n*1\r\n$4\r\nPING\r\n"


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 17, 18, 1_000])
def test_replies_in_packets_of_any_size(size: int) -> None:
    with sending(REPLIES, size) as link:
        assert [plain(one) for one in link.exchange(b"x", len(MEANT), 20.0)] == MEANT


def test_room_is_used_again_once_nobody_looks_at_it() -> None:
    room = Room()
    first = room.take(1_000)
    memory = first.obj
    del first
    part = room.take(900)[10:20]
    assert part.obj is memory
    part[:] = b"1" * 10
    room.take(1_000)[:] = b"2" * 1_000
    assert part == b"1" * 10


def test_room_is_not_much_larger_than_what_it_is_for_and_not_kept_when_huge() -> None:
    room = Room()
    room.take(10_000)
    assert len(room.take(4_999).obj) == 4_999  # type: ignore[arg-type]  # a bytearray
    huge = room.take(LARGEST_ROOM + 1).obj
    assert all(room.take(LARGEST_ROOM + 1).obj is not huge for _ in range(3))


def test_a_value_larger_than_redis_allows_is_no_reply() -> None:
    with sending(b"$9999999999\r\n", 100) as link, pytest.raises(TierError) as raised:
        link.exchange(b"x", 1, 20.0)
    assert raised.value.kind == "protocol"


@pytest.mark.parametrize(("data", "kind"), [(b"$5\r\nval", "closed"), (b"", "closed"), (b"?\r\n", "protocol")])
def test_half_a_reply_or_another_language_is_an_error(data: bytes, kind: str) -> None:
    with sending(data, 100) as link:
        with pytest.raises(TierError) as raised:
            link.exchange(b"x", 1, 20.0)
        assert raised.value.kind == kind


def test_waiting_in_vain_leaves_the_link_of_use() -> None:
    with sending(b"+first\r\n+second\r\n", 100) as link:
        assert link.receive(0.01) is None
        assert link.exchange(b"x", 1, 20.0) == [b"first"]
        assert link.receive(20.0) == b"second"
