"""The guarded Redis tier while its server is refused, killed, frozen, loading, read-only, full, busy or something else."""

from __future__ import annotations

import signal
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

import pytest
import redis as client

from perf.cache.breaker import Breaker
from perf.cache.guarded import Guarded
from perf.cache.options import EntryOptions
from perf.cache.tiers.redis import RedisTier
from perf.clock import SystemClock
from perf.errors import TierError
from perf.model import Held
from tests import services
from tests.services import eventually, redis_server_with

TIMEOUT = 0.25
ONE_TIMEOUT = 10.0
"""What calls that wait once, or never, may take on a busy machine: fifty that wait each would take longer."""
PATIENT = 60.0
"""The timeout where the server is well and shall not seem slow because the machine is busy."""


def held(data: bytes = b"value") -> Held:
    return Held(data, 100.0, 200.0)


@contextmanager
def guarding(port: int, rest: float = 0.2, timeout: float = TIMEOUT) -> Iterator[Guarded]:
    clock = SystemClock()
    tier = RedisTier(f"redis://127.0.0.1:{port}", timeout=timeout)
    guarded = Guarded(tier, Breaker(clock, rest=rest), clock, EntryOptions(tier_hard_timeout=timeout))
    try:
        yield guarded
    finally:
        guarded.close()


def seconds(guarded: Guarded, calls: int = 1) -> float:
    began = perf_counter()
    for _ in range(calls):
        assert guarded.read("a") is None
    return perf_counter() - began


def test_refused_costs_no_time() -> None:
    with guarding(services.free_port(), rest=60.0, timeout=PATIENT) as guarded:
        assert seconds(guarded, 50) < ONE_TIMEOUT
        assert guarded.counts().errors == {"refused": 5}
        assert guarded.state == "open"


def test_killed_and_started_again() -> None:
    port = services.free_port()
    with redis_server_with(port=port) as server, guarding(port, timeout=PATIENT) as guarded:
        assert guarded.write("a", held(), (), None)
        server.process.kill()
        server.process.wait()
        assert seconds(guarded, 50) < ONE_TIMEOUT
        guarded.invalidate(["k:a"])
        with redis_server_with(port=port):
            eventually(lambda: guarded.write("a", held(b"again"), (), None), seconds=30.0)
            assert guarded.read("a") is not None
            assert guarded.counts().waiting == 0


def test_a_server_that_came_back_unnoticed_costs_no_miss() -> None:
    port = services.free_port()
    with guarding(port, timeout=PATIENT) as guarded:
        with redis_server_with(port=port):
            assert guarded.write("a", held(), (), None)
        with redis_server_with(port=port):
            assert guarded.write("a", held(), (), None)
            assert guarded.read("a") is not None
            assert guarded.counts().errors == {}


def test_frozen_costs_one_timeout_and_hears_what_it_missed() -> None:
    with redis_server_with() as server, guarding(server.port) as guarded:
        eventually(lambda: guarded.write("a", held(), ("x",), None) and not guarded.state)
        server.process.send_signal(signal.SIGSTOP)
        try:
            assert TIMEOUT * 0.9 < seconds(guarded) < ONE_TIMEOUT
            assert seconds(guarded, 100) < ONE_TIMEOUT
            guarded.invalidate(["t:x"])
        finally:
            server.process.send_signal(signal.SIGCONT)
        eventually(lambda: guarded.counts().waiting == 0, seconds=30.0)
        assert guarded.read("a") is None
        eventually(lambda: guarded.write("a", held(), ("x",), None))
        eventually(lambda: guarded.read("a") is not None)


def test_frozen_before_the_first_connection_costs_one_timeout() -> None:
    with redis_server_with() as server, guarding(server.port) as guarded:
        server.process.send_signal(signal.SIGSTOP)
        try:
            assert seconds(guarded) < ONE_TIMEOUT
        finally:
            server.process.send_signal(signal.SIGCONT)


def test_a_black_hole_costs_one_timeout() -> None:
    """A listener whose queue of connections is full answers no SYN, as a firewall that drops packets."""
    with socket.socket() as hole:
        hole.bind(("127.0.0.1", 0))
        hole.listen(0)
        port = hole.getsockname()[1]
        fillers = [socket.socket() for _ in range(3)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        with guarding(port, rest=60.0) as guarded:
            assert TIMEOUT * 0.9 < seconds(guarded) < ONE_TIMEOUT
            assert seconds(guarded, 1_000) < ONE_TIMEOUT
            assert guarded.counts().errors == {"timeout": 1}
        for filler in fillers:
            filler.close()


@contextmanager
def answering(*chunks: bytes, every: float) -> Iterator[int]:
    """The port of a server that answers anything with *chunks*, one each *every* seconds, for ever."""
    stop = threading.Event()

    def serve(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65_536)
            while not stop.is_set():
                for chunk in chunks:
                    try:
                        connection.sendall(chunk)
                    except OSError:
                        return
                    stop.wait(every)

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            stop.set()
            thread.join()


def test_a_server_that_trickles_costs_one_timeout() -> None:
    with answering(b"*2\r\n$8\r\n", b"a", b"b", every=0.05) as port, guarding(port, rest=60.0) as guarded:
        assert seconds(guarded) < ONE_TIMEOUT
        assert guarded.counts().timeouts == 1


def test_something_else_on_the_port_is_an_error() -> None:
    refusal = b"HTTP/1.1 400 Bad Request\r\n\r\n"
    with answering(refusal, every=1.0) as port, guarding(port, timeout=PATIENT) as guarded:
        assert seconds(guarded) < PATIENT / 2
        assert guarded.counts().errors == {"protocol": 1}


def test_busy_or_loading_is_an_error_at_once() -> None:
    loading = b"-LOADING Redis is loading the dataset in memory\r\n"
    with answering(loading, every=0.01) as port, guarding(port, timeout=PATIENT) as guarded:
        assert seconds(guarded) < PATIENT / 2
        assert guarded.counts().errors == {"loading": 1}


def test_a_replica_is_read_and_not_written_and_hears_it_later() -> None:
    options = ("--repl-diskless-sync-delay", "0")  # Five seconds otherwise.
    with (
        redis_server_with(*options) as primary,
        redis_server_with() as replica,
        guarding(replica.port, timeout=PATIENT) as guarded,
    ):
        writer = RedisTier(f"redis://127.0.0.1:{primary.port}", timeout=PATIENT)
        with client.Redis(port=replica.port) as connection:
            connection.replicaof("127.0.0.1", str(primary.port))
            writer.write("a", held(), ("x",), None)
            eventually(lambda: guarded.read("a") is not None, seconds=30.0)
            assert "read-only" in guarded.usage().state
            assert not guarded.write("b", held(), (), b"\x80")
            assert guarded.counts().errors["readonly"] == 1
            guarded.invalidate(["k:a"])
            assert guarded.read("a") is None
            connection.replicaof("NO", "ONE")
        eventually(lambda: guarded.counts().waiting == 0, seconds=30.0)
        assert guarded.read("a") is None
        assert guarded.write("a", held(), ("x",), None)
        writer.close()


def test_full_it_still_answers() -> None:
    with (
        redis_server_with("--maxmemory", "4mb", "--maxmemory-policy", "noeviction") as server,
        guarding(server.port, timeout=PATIENT) as guarded,
    ):
        fence = guarded.fence([])
        assert guarded.write("a", held(), (), fence)
        for number in range(100):
            stored = guarded.write(f"{number}", held(bytes(200_000)), (), fence)
        assert not stored
        assert guarded.usage().state == "full"
        assert guarded.read("a") is not None
        guarded.invalidate(["k:a"])
        assert guarded.read("a") is None
        guarded.clear()
        assert guarded.counts().errors == {}


def test_a_wrong_password_is_said() -> None:
    with redis_server_with("--requirepass", "right") as server:
        for url, kind in (("redis://", "denied"), ("redis://:wrong@", "denied")):
            tier = RedisTier(f"{url}127.0.0.1:{server.port}", timeout=PATIENT)
            with pytest.raises(TierError) as raised:
                tier.read("a")
            assert raised.value.kind == kind
        tier = RedisTier(f"redis://:right@127.0.0.1:{server.port}/3", timeout=PATIENT)
        assert tier.write("a", held(), (), None)
        assert tier.read("a") is not None
        tier.close()


def test_a_busy_server_costs_one_timeout() -> None:
    with services.redis() as server, guarding(server) as guarded:
        sleeper = threading.Thread(target=_occupy, args=(server, 3.0))  # After five seconds it would say so.
        eventually(lambda: guarded.write("a", held(), (), None) and not guarded.state)
        before = Counter(guarded.counts().errors)
        sleeper.start()
        try:
            eventually(lambda: guarded.read("a") is None, every=0.001)
            # An answer that came late is no error, and on a busy machine there may be one.
            assert Counter(guarded.counts().errors) - before == {"timeout": 1}
        finally:
            sleeper.join()
        eventually(lambda: guarded.read("a") is not None)


_BUSY = """
local function now() local time = redis.call('TIME') return time[1] + time[2] / 1e6 end
local till = now() + tonumber(ARGV[1])
while now() < till do end
"""


def _occupy(port: int, duration: float) -> None:
    with client.Redis(port=port, socket_timeout=PATIENT) as connection:
        connection.eval(_BUSY, 0, str(duration))
