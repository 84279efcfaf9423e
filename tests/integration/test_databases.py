"""Recorded clients against a real PostgreSQL and a real Redis."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from time import perf_counter
from typing import Any

import psycopg
import pytest
import redis as redislib
import redis.asyncio as asyncredis
from psycopg import sql
from sqlalchemy import create_engine, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from perf.clock import SystemClock
from perf.instrument import dbapi
from perf.instrument import redis as ours
from perf.instrument import sqlalchemy as engines
from perf.record import Recorder
from perf.record.timers import recorded
from tests import services
from tests.unit.instrument.recorded import Recorded

SLOW = 0.5


@pytest.fixture(scope="module")
def dsn() -> Iterator[str]:
    with services.postgres() as found:
        yield found


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with services.redis() as found:
        yield found


@pytest.fixture
def recorder() -> Recorder:
    return Recorder(SystemClock())


@pytest.fixture
def connection(dsn: str, recorder: Recorder) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(dsn) as made:
        made.execute("DROP TABLE IF EXISTS orders")
        made.execute("CREATE TABLE orders (id int PRIMARY KEY, name text)")
        made.commit()
        yield dbapi.instrument(made, recorder)


@pytest.fixture
def client(port: int, recorder: Recorder) -> Iterator[redislib.Redis]:
    with redislib.Redis(port=port, decode_responses=True) as made:
        made.flushall()
        yield ours.instrument(made, recorder)


def test_psycopg_works_as_before_and_tells(connection: psycopg.Connection[Any], recorder: Recorder) -> None:
    assert isinstance(connection, psycopg.Connection)
    with connection.cursor() as cursor:
        assert isinstance(cursor, psycopg.Cursor)
        cursor.executemany("INSERT INTO orders VALUES (%s, %s)", [(1, "a"), (2, "b"), (3, "c")])
    query = sql.SQL("SELECT name FROM {} WHERE id = {}").format(sql.Identifier("orders"), sql.Literal(2))
    assert connection.execute(query).fetchone() == ("b",)
    connection.execute(b"UPDATE orders SET name = 'x' WHERE id > 1")
    connection.commit()
    found = Recorded(recorder)
    assert found.calls() == {"INSERT orders": 1, "SELECT orders": 1, "UPDATE orders": 1, "COMMIT": 1}
    assert found.counted("db_client_rows_total", "db_operation") == {"INSERT": 3, "SELECT": 1, "UPDATE": 2}
    assert {each["db_system"] for each in found.labels()} == {"postgresql"}


def test_psycopg_failures_are_counted_by_sqlstate(connection: psycopg.Connection[Any], recorder: Recorder) -> None:
    connection.execute("INSERT INTO orders VALUES (1, 'a')")
    with pytest.raises(psycopg.errors.UniqueViolation):
        connection.execute("INSERT INTO orders VALUES (1, 'a')")
    connection.rollback()
    connection.execute("SET statement_timeout = 50")
    with pytest.raises(psycopg.errors.QueryCanceled):
        connection.execute("SELECT pg_sleep(5)")
    connection.rollback()
    found = Recorded(recorder)
    assert found.counted("db_client_errors_total", "error_type") == {"23505": 1, "57014": 1}


def test_the_time_of_a_statement_is_the_servers(connection: psycopg.Connection[Any], recorder: Recorder) -> None:
    began = perf_counter()
    connection.execute("SELECT pg_sleep(%s)", (SLOW,))
    assert SLOW <= Recorded(recorder).seconds("SELECT") <= perf_counter() - began


def test_psycopg_server_cursors_pipelines_and_copy(connection: psycopg.Connection[Any], recorder: Recorder) -> None:
    with connection.cursor() as cursor:
        with cursor.copy("COPY orders FROM STDIN") as copy:
            for number in range(10):
                copy.write_row((number, "n"))
        assert [row[0] for row in cursor.stream("SELECT id FROM orders WHERE id < 2 ORDER BY id")] == [0, 1]
    with connection.cursor("named") as server:
        server.execute("SELECT id FROM orders ORDER BY id")
        assert server.fetchmany(2) == [(0,), (1,)]
    with connection.pipeline():
        cursor = connection.execute("SELECT count(*) FROM orders")
    assert cursor.fetchone() == (10,)
    with connection.transaction():
        connection.execute("DELETE FROM orders")
    assert Recorded(recorder).calls() == {"SELECT orders": 2, "DELETE orders": 1}


def test_psycopg_undone(connection: psycopg.Connection[Any], recorder: Recorder) -> None:
    assert dbapi.instrument(connection, recorder) is connection
    assert dbapi.uninstrument(connection).execute("SELECT 1").fetchone() == (1,)
    connection.commit()
    assert type(connection) is psycopg.Connection
    assert connection.cursor_factory is psycopg.Cursor
    assert Recorded(recorder).calls() == {}


def test_psycopg_asynchronous(dsn: str, recorder: Recorder) -> None:
    async def ask() -> None:
        async with await psycopg.AsyncConnection.connect(dsn) as connection:
            dbapi.instrument(connection, recorder)
            async with connection.cursor() as cursor:
                await cursor.execute("SELECT %s::int", (5,))
                assert await cursor.fetchone() == (5,)
            with pytest.raises(psycopg.errors.UndefinedTable):
                await connection.execute("SELECT * FROM absent")
            await connection.rollback()
            task = asyncio.create_task(connection.execute("SELECT pg_sleep(30) FROM (VALUES (1)) waiting"))
            await asyncio.sleep(0.1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(recorded(ask, recorder, name="ask")())
    found = Recorded(recorder)
    assert found.calls()["SELECT absent"] == 1
    assert found.counted("db_client_errors_total", "error_type") == {"42P01": 1, "CancelledError": 1}
    assert ("ask", "SELECT", "database") in found.edges()


def test_sqlalchemy_on_postgresql(dsn: str, recorder: Recorder) -> None:
    engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(dsn), poolclass=NullPool)
    engines.instrument(engine, recorder)
    with engine.connect() as connection:
        Recorded(recorder)  # The first connection asks the server about itself.
        assert connection.execute(text("SELECT 5")).scalar() == 5
    assert Recorded(recorder).labels() == [
        {"db_collection": "", "db_operation": "SELECT", "db_query_summary": "SELECT", "db_system": "postgresql"}
    ]


@pytest.mark.parametrize("below", [False, True])
def test_sqlalchemy_asynchronous_counts_once(dsn: str, recorder: Recorder, below: bool) -> None:
    async def connect() -> psycopg.AsyncConnection[Any]:
        made = await psycopg.AsyncConnection.connect(dsn)
        return dbapi.instrument(made, recorder) if below else made

    async def ask() -> None:
        engine = create_async_engine("postgresql+psycopg://", async_creator=connect, poolclass=NullPool)
        engines.instrument(engine, recorder)
        async with engine.connect() as connection:
            Recorded(recorder)
            assert (await connection.execute(text("SELECT 1 FROM pg_class LIMIT 1"))).scalar() == 1
        await engine.dispose()

    asyncio.run(ask())
    assert Recorded(recorder).calls()["SELECT pg_class"] == 1


def test_redis_commands_are_told_without_their_keys(client: redislib.Redis, recorder: Recorder) -> None:
    assert isinstance(client, redislib.Redis)
    client.set("user:17", "x")
    assert client.get("user:17") == "x"
    assert client.get("user:18") is None
    assert client.mget("user:17", "user:18") == ["x", None]
    client.hset("h", "a", "1")
    assert client.hgetall("h") == {"a": "1"}
    assert client.hgetall("absent") == {}
    client.config_get("maxmemory")
    found = Recorded(recorder)
    assert found.calls() == {"SET": 1, "GET": 2, "MGET": 1, "HSET": 1, "HGETALL": 2, "CONFIG GET": 1}
    assert found.counted("cache_requests_total", "result") == {"hit": 3, "miss": 3}
    assert found.counted("cache_requests_total", "tier") == {"redis": 3, "load": 3}  # a miss is answered by none
    assert "user" not in str(found.labels())


def test_a_redis_pipeline_is_one_call(client: redislib.Redis, recorder: Recorder) -> None:
    with client.pipeline() as pipe:
        assert pipe.set("a", 1).get("a").get("b").execute() == [True, "1", None]
        assert pipe.execute() == []

    def increase(pipe: Any) -> None:
        pipe.multi()
        pipe.incr("a")

    assert client.transaction(increase, "a") == [2]
    found = Recorded(recorder)
    assert found.calls() == {"PIPELINE": 2}
    assert found.counted("cache_requests_total", "result") == {"hit": 1, "miss": 1}


def test_redis_failures_and_timeouts_are_counted(port: int, client: redislib.Redis, recorder: Recorder) -> None:
    client.set("a", "x")
    with pytest.raises(redislib.ResponseError):
        client.incr("a")
    with pytest.raises(redislib.ResponseError):
        client.pipeline().incr("a").execute()
    hasty = ours.instrument(redislib.Redis(port=port, socket_timeout=0.1, retry=None), recorder)
    client.client_pause(600_000, all=False)  # Nobody writes until it is told to go on.
    try:
        with pytest.raises(redislib.TimeoutError):
            hasty.set("a", "y")
    finally:
        hasty.close()
        client.client_unpause()
    found = Recorded(recorder).counted("db_client_errors_total", "error_type")
    assert found == {"ResponseError": 2, "TimeoutError": 1}


def test_waiting_for_others_is_no_slow_call(client: redislib.Redis, recorder: Recorder) -> None:
    assert client.blpop(["absent"], timeout=1) is None
    assert client.xread({"s": "$"}, block=10) in (None, [], {})
    heard = threading.Event()
    subscription = client.pubsub()
    subscription.subscribe(news=lambda message: heard.set())
    client.publish("news", "x")
    services.eventually(lambda: subscription.get_message(timeout=0.1) or heard.is_set())
    subscription.close()
    assert Recorded(recorder).calls() == {"PUBLISH": 1}


def test_redis_undone(client: redislib.Redis, recorder: Recorder) -> None:
    assert ours.instrument(client, recorder) is client
    client.ping()
    assert Recorded(recorder).calls() == {"PING": 1}
    ours.uninstrument(client)
    client.ping()
    assert type(client) is redislib.Redis
    assert Recorded(recorder).calls() == {}


def test_redis_asynchronous(port: int, recorder: Recorder) -> None:
    async def ask() -> None:
        async with asyncredis.Redis(port=port) as client:
            ours.instrument(client, recorder, cache="sessions")
            await client.set("k", b"v")
            assert await client.get("k") == b"v"
            async with client.pipeline(transaction=False) as pipe:
                assert await pipe.get("k").get("absent-key").execute() == [b"v", None]
            with pytest.raises(redislib.ResponseError):
                await client.incr("k")

    asyncio.run(recorded(ask, recorder, name="ask")())
    found = Recorded(recorder)
    assert found.counted("cache_requests_total", "result") == {"hit": 2, "miss": 1}
    assert found.counted("cache_requests_total", "cache") == {"sessions": 1}
    assert found.counted("db_client_errors_total", "error_type") == {"ResponseError": 1}
    assert ("ask", "GET", "cache") in found.edges()
    assert ("ask", "PIPELINE", "cache") in found.edges()
