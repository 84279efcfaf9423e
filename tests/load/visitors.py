"""Dashboard sessions without a browser: Streamlit's own websocket, and the requests of a live page."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from time import perf_counter
from urllib.parse import quote

import httpx
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection, connect

PAGES = ("", "alerts", "checks", "trends", "functions", "cache", "settings")
REFRESH = 5.0
"""Seconds between the requests of a live page."""
READING = (15.0, 45.0)
"""Seconds that somebody stays on a page."""
POLL = (
    "cpu_usage_percent",
    "memory_usage_percent",
    "rate(network_receive_bytes_total)",
    "rate(disk_write_bytes_total)",
)
PATIENCE = 60.0
"""Seconds for a page."""


class Visit:
    """What the visitors met."""

    def __init__(self) -> None:
        self.pages: list[float] = []
        self.polls: list[float] = []
        self.errors: Counter[str] = Counter()


class Visitor:
    """Somebody who turns pages, each of which asks for news every few seconds."""

    def __init__(self, url: str, visit: Visit, seed: int) -> None:
        self._url, self._visit, self._random = url, visit, random.Random(seed)

    async def stay(self, until: float) -> None:
        """Come now, go at *until* (as `perf_counter` counts)."""
        await asyncio.sleep(self._random.uniform(0.0, REFRESH))
        async with httpx.AsyncClient(base_url=self._url, timeout=PATIENCE) as client:
            while perf_counter() < until:
                try:
                    await self._sit(client, until)
                except (OSError, httpx.HTTPError, TimeoutError, EOFError) as error:
                    self._visit.errors[f"session: {type(error).__name__}"] += 1
                    await asyncio.sleep(1.0)

    async def _sit(self, client: httpx.AsyncClient, until: float) -> None:
        """One session: a websocket that stays, and pages over it."""
        address = self._url.replace("http", "ws", 1) + "/_stcore/stream"
        async with connect(address, subprotocols=["streamlit"], max_size=None) as socket:  # type: ignore[list-item]
            while perf_counter() < until:
                await asyncio.wait_for(self._turn(socket), PATIENCE)
                leaves = min(until, perf_counter() + self._random.uniform(*READING))
                while perf_counter() < leaves:
                    await self._poll(client)
                    await asyncio.sleep(REFRESH)

    async def _turn(self, socket: ClientConnection) -> None:
        """Open a page, and read what comes until its script has finished."""
        asked = BackMsg()
        asked.rerun_script.page_name = self._random.choice(PAGES)
        asked.rerun_script.query_string = f"range={self._random.choice(('5m', '1h', '3h'))}"
        began = perf_counter()
        await socket.send(asked.SerializeToString())
        while True:
            told = ForwardMsg.FromString(bytes(await socket.recv(decode=False)))
            if told.WhichOneof("type") == "delta" and told.delta.new_element.WhichOneof("type") == "exception":
                self._visit.errors[f"exception: {told.delta.new_element.exception.type}"] += 1
            if told.WhichOneof("type") == "script_finished":
                break
        self._visit.pages.append(perf_counter() - began)

    async def _poll(self, client: httpx.AsyncClient) -> None:
        """What a live page asks: what is new in each of its lines."""
        query = "&".join(f"query={quote(text)}" for text in POLL)
        began = perf_counter()
        answer = await client.get(f"/api/v1/query?{query}&since=now-{REFRESH:g}s&step=1s")
        self._visit.polls.append(perf_counter() - began)
        if answer.status_code != 200:
            self._visit.errors[f"poll: {answer.status_code}"] += 1


def visit(url: str, *, sessions: int, seconds: float) -> Visit:
    """Let *sessions* visitors use the dashboard at *url* for *seconds*."""
    met, until = Visit(), perf_counter() + seconds

    async def all_of_them() -> None:
        await asyncio.gather(*(Visitor(url, met, seed).stay(until) for seed in range(sessions)))

    asyncio.run(all_of_them())
    return met
