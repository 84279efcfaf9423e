"""Live events and assistants against a real server."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from mcp import Client

from perf.api import streams
from perf.model import IncidentState, Sample, Step, Transition
from perf.settings.api import ApiSettings
from tests.apiserver import CPU, Served, served


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("streams")) as found:
        yield found


class Events:
    """What a client of events reads, event by event."""

    def __init__(self, response: httpx2.Response) -> None:
        self._lines = response.iter_lines()

    def next(self, kind: str) -> tuple[str, dict[str, object]]:
        """Id and content of the next event of *kind*."""
        id = event = ""
        for line in self._lines:
            name, _, value = line.partition(": ")
            if name == "id":
                id = value
            elif name == "event":
                event = value
            elif name == "data" and event == kind:
                return id, json.loads(value)
        raise AssertionError(f"the stream ended before an event {kind}")


def turn(server: Served, incident: str) -> None:
    """Let an incident turn, as the evaluator does."""
    one = Transition(
        ts=server.runtime.clock.now(),
        incident_id=incident,
        rule_id="default-cpu",
        labels=(),
        before=IncidentState.PENDING,
        after=IncidentState.FIRING,
    )
    server.runtime._keep(Step(transitions=(one,)))


def follow(server: Served, query: str, last: str = "") -> object:
    headers = {"last-event-id": last} if last else {}
    return httpx2.stream("GET", f"{server.url}/api/v1/events?{query}", headers=headers, timeout=60)


def test_turns_of_alerts_are_told_and_none_is_missed_after_a_break(server: Served) -> None:
    with follow(server, "") as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        events = Events(response)
        events.next("incidents")
        turn(server, "a")
        last, told = events.next("alert")
        assert (told["incident"], told["before"], told["after"]) == ("a", "pending", "firing")
    turn(server, "b")
    turn(server, "c")
    with follow(server, "", last) as response:
        events = Events(response)
        assert [events.next("alert")[1]["incident"] for _ in range(2)] == ["b", "c"]


def test_an_id_of_another_process_begins_anew(server: Served) -> None:
    with follow(server, "", "abc-5-1700000000") as response:
        assert Events(response).next("incidents")[1]["incidents"] is not None


def test_new_samples_are_told(server: Served) -> None:
    with follow(server, "query=cpu_usage_percent&interval=1s&alerts=0") as response:
        events = Events(response)
        events.next("metrics")
        for _ in range(20):
            # Again and again: one that takes seconds to be stored is no news any more.
            server.runtime.writer.submit([Sample(server.runtime.clock.now(), CPU, (), 77.0)]).result(30)
            _, told = events.next("metrics")
            if any(77.0 in series["v"] for series in told["series"]):
                return
    raise AssertionError("the sample was not told")


@pytest.mark.parametrize("query", ["query=(", "interval=0", "interval=2d", "alerts=0", "step=x"])
def test_what_makes_no_sense_is_refused_before_the_stream(server: Served, query: str) -> None:
    answer = httpx2.get(f"{server.url}/api/v1/events?{query}", timeout=30)
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")


def test_so_many_clients_may_follow_and_places_come_free(tmp_path: Path) -> None:
    with served(tmp_path, ApiSettings(rate=0.0, streams=1)) as server:
        with follow(server, "") as response:
            events = Events(response)  # Reading ends with its reader, and the stream with it.
            events.next("incidents")
            refused = httpx2.get(f"{server.url}/api/v1/events", timeout=30)
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "10")
        deadline = server.runtime.clock.monotonic() + 90
        while True:
            with follow(server, "") as response:
                if response.status_code == 200:
                    break
            assert server.runtime.clock.monotonic() < deadline, "the place did not come free"
            threading.Event().wait(0.5)


def test_streams_end_with_the_server(tmp_path: Path) -> None:
    with served(tmp_path) as server:
        address = server.url.removeprefix("http://").split(":")
        connection = socket.create_connection((address[0], int(address[1])), timeout=60)
        connection.sendall(b"GET /api/v1/events HTTP/1.1\r\nhost: localhost\r\n\r\n")
        assert b"200 OK" in connection.recv(10_000)
    received = b"x"
    while received:
        received = connection.recv(10_000)
    connection.close()


def test_a_slow_client_is_told_and_dropped() -> None:
    async def run() -> list[bytes]:
        client = streams.Client()

        async def flood(told: streams.Client) -> None:
            for number in range(streams.BUFFER + 50):
                told.tell("metrics", number)

        return [event async for event in client.stream(flood)]

    events = asyncio.run(run())
    assert len(events) == 2
    assert events[1].startswith(b"event: dropped\ndata: ")


def test_silence_is_broken_by_a_comment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "HEARTBEAT", 0.01)

    async def run() -> bytes:
        async def silent(_: streams.Client) -> None:
            await asyncio.sleep(60)

        stream = streams.Client().stream(silent)
        await anext(stream)
        found = await anext(stream)
        await stream.aclose()
        return found

    assert asyncio.run(run()) == b": still here\n\n"


def test_an_assistant_asks_the_same_questions(server: Served) -> None:
    async def run() -> None:
        async with Client(f"{server.url}/mcp") as client:
            tools = {tool.name: tool for tool in (await client.list_tools()).tools}
            assert set(tools) == {"list_metrics", "query", "health", "alerts", "slowest", "sql"}
            assert all(tool.annotations and tool.annotations.read_only_hint for tool in tools.values())
            known = (await client.call_tool("list_metrics", {"search": "cpu_usage"})).structured_content
            assert [one["name"] for one in known["metrics"]] == ["cpu_usage_percent"]
            asked = {"queries": ["max_over_time(jobs_total)"], "start": "now-10m"}
            series = (await client.call_tool("query", asked)).structured_content["series"]
            assert max(value for value in series[0]["v"] if value is not None) == 290.0
            slow = (await client.call_tool("slowest", {"kind": "functions"})).structured_content
            assert slow["rows"][0]["labels"] == {"function": "shop.search"}
            assert (await client.call_tool("health")).structured_content["checks"]["store"]
            assert (await client.call_tool("alerts")).structured_content["alerts"] == []
            wrong = await client.call_tool("query", {"queries": ["("]})
            assert wrong.is_error
            assert "column" in wrong.content[0].text
            locked = await client.call_tool("sql", {"statement": "SELECT 1"})
            assert locked.is_error
            assert "token" in locked.content[0].text

    asyncio.run(run())


def test_sql_needs_the_token_and_only_reads(server: Served) -> None:
    headers = {"authorization": f"Bearer {server.runtime.token}", "accept": "application/json, text/event-stream"}

    def call(statement: str) -> dict[str, object]:
        body = {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "tools/call",
            "params": {"name": "sql", "arguments": {"statement": statement}},
        }
        answer = httpx2.post(f"{server.url}/mcp", json=body, headers=headers, timeout=60)
        found: dict[str, object] = answer.json()["result"]
        return found

    many = call("SELECT range FROM range(1000)")
    assert (len(many["structuredContent"]["rows"]), many["structuredContent"]["truncated"]) == (500, True)
    assert call("DROP TABLE hot")["isError"] is True


def test_asking_leaves_the_logs_of_the_process_alone(server: Served) -> None:
    before = logging.getLogger().handlers[:]
    test_an_assistant_asks_the_same_questions(server)
    assert logging.getLogger().handlers == before
