"""A small shop with a cache, a database, and a payment provider that refuses now and then; perf records it from outside."""

from __future__ import annotations

import logging
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from math import log
from threading import Event

import httpx
from fastapi import FastAPI, HTTPException
from fastapi.responses import StreamingResponse

import perf.instrument.asyncio
import perf.instrument.dbapi
import perf.instrument.gc
import perf.instrument.http
import perf.instrument.logging
from examples.fastapi_shop import database
from perf.cache import Cache, MemoryTier, cached
from perf.clock import SystemClock
from perf.instrument.asgi import PerformanceMiddleware
from perf.monitoring import start_performance_monitoring, track_performance

PAGE = 20
REFUSED = 0.02
ROOM = 512 * 2**10
"""Bytes of the cache of products: nine of ten fit."""
KEPT, UNKNOWN = 6 * 3_600.0, 10.0
"""Seconds that a product is remembered, and that there is none with a number."""
_nap = Event()
_log = logging.getLogger("shop")


@asynccontextmanager
async def recording(_: FastAPI) -> AsyncIterator[None]:
    """What else of this process is worth a look: its event loop, garbage collections and logged errors."""
    start_performance_monitoring(service="shop")
    perf.instrument.asyncio.instrument()
    perf.instrument.gc.instrument()
    perf.instrument.logging.instrument()
    yield


app = FastAPI(title="Shop", lifespan=recording)
app.add_middleware(PerformanceMiddleware)
connection = perf.instrument.dbapi.instrument(database.connect())
products = Cache(memory=MemoryTier(ROOM, SystemClock()), namespace="products")


def _provider(_: httpx.Request) -> httpx.Response:
    """Stands for the payment provider, so that the shop needs no network."""
    work(0.04, spread=0.15)
    return httpx.Response(503 if random.random() < REFUSED else 200)


payments = httpx.Client(base_url="https://payments.example", transport=httpx.MockTransport(_provider))
perf.instrument.http.instrument(payments)


@app.get("/products/{number}")
def product(number: int) -> dict[str, object]:
    """One product: from the cache, or from the database."""
    found = load_product(number)
    if found is None:
        raise HTTPException(404, "no such product")
    work(0.01)
    return found


@app.get("/search")
def search(text: str = "") -> list[dict[str, object]]:
    """Products by name, the best first."""
    return rank(find(text))


@app.get("/customers/{number}/orders")
def history(number: int) -> list[dict[str, object]]:
    """What a customer has bought: a query without an index, the slower the more was ever sold."""
    rows = connection.execute(
        "SELECT id, product FROM orders WHERE customer = ? ORDER BY product", (number,)
    ).fetchall()
    return [{"id": id_, "product": product} for id_, product in rows]


@app.post("/orders", status_code=201)
def order(number: int, customer: int = 1) -> dict[str, object]:
    """Buys, if the payment provider agrees."""
    amount = price(number)
    answer = payments.post("/payments", json={"amount": amount})
    if answer.status_code != httpx.codes.OK:
        _log.error("the payment provider refused an order: %d", answer.status_code)
        raise HTTPException(502, "the payment provider does not answer")
    connection.execute("INSERT INTO orders (customer, product) VALUES (?, ?)", (customer, number))
    connection.commit()
    return {"product": number, "price": amount}


@app.get("/catalogue.csv")
def catalogue() -> StreamingResponse:
    """Everything, page by page."""

    def lines() -> Iterator[str]:
        for page in range(PAGE):
            work(0.045)
            yield from (f"{number},Mug No. {number}\n" for number in range(page * PAGE, (page + 1) * PAGE))

    return StreamingResponse(lines(), media_type="text/csv")


@cached(cache=products, ttl=KEPT, negative_ttl=UNKNOWN, tags=["products"])
@track_performance("shop.load_product", "shop")
def load_product(number: int) -> dict[str, object] | None:
    """One product from the database, and from then on from the cache."""
    row = connection.execute("SELECT name, price FROM products WHERE id = ?", (number,)).fetchone()
    work(0.02)
    if row is None:
        return None
    return {"id": number, "name": row[0], "price": row[1]}


@track_performance("shop.find", "shop")
def find(text: str) -> list[dict[str, object]]:
    """Products whose description holds *text*."""
    work(0.13, spread=0.4)
    rows = connection.execute(
        "SELECT id, text FROM catalogue WHERE text LIKE ? LIMIT ?", (f"%{text}%", PAGE)
    ).fetchall()
    return [{"id": id_, "text": found} for id_, found in rows]


@track_performance("shop.rank", "shop")
def rank(found: list[dict[str, object]]) -> list[dict[str, object]]:
    """The best first. New in v1.8.0, and slow."""
    work(0.105, spread=0.4)
    return sorted(found, key=lambda each: len(str(each["text"])))


@track_performance("shop.price", "shop")
def price(number: int) -> float:
    """What a product costs today."""
    work(0.004)
    return 4.0 + number % 17


def work(median: float, *, spread: float = 0.3) -> None:
    """Takes about *median* seconds, as real work would."""
    _nap.wait(random.lognormvariate(log(median), spread))
