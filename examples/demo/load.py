"""People who use the shop and its back office: requests with a daily rhythm, and browsers' sessions of Streamlit."""

from __future__ import annotations

import asyncio
import logging
import math
import random
from collections.abc import Awaitable, Callable
from datetime import datetime
from urllib.parse import urlsplit

import httpx
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from examples.demo.story import MINUTE, rhythm
from perf.ports import Clock

PATHS = (
    (2.00, "GET", "/products/{product}"),
    (0.60, "GET", "/search?text=blue"),
    (0.40, "POST", "/orders?number={product}&customer={customer}"),
    (0.30, "GET", "/customers/{customer}/orders"),
    (0.02, "GET", "/catalogue.csv"),
    (0.02, "GET", "/products/9999"),
)
"""How often a second at noon, and what."""
READERS = 3
PAGES = {"": ("100", "500", "2000"), "stock": ("200", "120", "80")}
"""Pages of the back office, and what its first selectbox offers."""
_RETRY = 2.0
_log = logging.getLogger(__name__)


def pace(clock: Clock) -> float:
    """How busy it is now, 1.15 at most: by the hour here, fewer at weekends, and up and down in twenty minutes."""
    here = datetime.fromtimestamp(clock.now()).astimezone()
    day = float(rhythm(here.hour + here.minute / 60.0)) * (0.4 if here.weekday() >= 5 else 1.0)
    return (0.15 + day) * (1.0 + 0.15 * math.sin(2.0 * math.pi * clock.now() / (20.0 * MINUTE)))


async def shoppers(url: str, clock: Clock, *, faster: float = 1.0) -> None:
    """Ask the shop at *url* for ever; *faster* multiplies how often."""
    total = sum(weight for weight, _, _ in PATHS)
    async with httpx.AsyncClient(base_url=url, timeout=30.0) as client, asyncio.TaskGroup() as group:
        while True:
            await asyncio.sleep(random.expovariate(total * pace(clock) * faster))
            _, method, path = random.choices(PATHS, [weight for weight, _, _ in PATHS])[0]
            address = path.format(product=random.randint(1, 500), customer=random.randrange(2_000))
            group.create_task(_asked(client, method, address))


async def _asked(client: httpx.AsyncClient, method: str, address: str) -> None:
    try:
        await client.request(method, address)
    except httpx.HTTPError as error:
        _log.debug("%s %s: %s", method, address, error)


async def readers(url: str, *, pause: float = 15.0) -> None:
    """A few people look at the back office at *url* for ever, and click about every *pause* seconds."""
    async with asyncio.TaskGroup() as group:
        for _ in range(READERS):
            group.create_task(_again(lambda: _reader(url, pause)))


async def _again(visit: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            await visit()
        except (OSError, WebSocketException, TimeoutError) as error:
            _log.debug("a session ended: %s", error)
        await asyncio.sleep(_RETRY)


async def _reader(url: str, pause: float) -> None:
    """One browser tab: opens a page, changes its selectbox a few times, goes to the next."""
    address = f"ws://{urlsplit(url).netloc}/_stcore/stream"
    async with connect(address, subprotocols=["streamlit"], max_size=None) as socket:  # type: ignore[list-item]
        page = random.choice(list(PAGES))
        widget = await _run(socket, page)
        for _ in range(random.randint(3, 8)):
            await asyncio.sleep(random.expovariate(1.0 / pause))
            if random.random() < 0.3:
                page = random.choice(list(PAGES))
                widget = await _run(socket, page)
            elif widget:
                await _run(socket, page, widget, random.choice(PAGES[page]))


async def _run(socket: ClientConnection, page: str, widget: str = "", value: str = "") -> str:
    """Have the script run for *page*, with *value* in *widget*; the id of the selectbox that it drew, if any."""
    message = BackMsg()
    message.rerun_script.page_name = page
    if widget:
        message.rerun_script.widget_states.widgets.add(id=widget, string_value=value)
    await socket.send(message.SerializeToString())
    async with asyncio.timeout(30.0):
        while True:
            said = ForwardMsg.FromString(bytes(await socket.recv(decode=False)))
            found = said.delta.new_element.selectbox.id
            widget = found or widget
            if said.WhichOneof("type") == "script_finished":
                return widget
