"""A small shop with a fast page, a slow one, a stream and one that fails now and then; perf records it from outside."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, HTTPException
from fastapi.responses import StreamingResponse

from perf.clock import SystemClock
from perf.instrument.asgi import PerformanceMiddleware
from perf.record import current
from perf.transport.sender import Sender
from perf.transport.spool import Spool

PRODUCTS = {number: {"id": number, "name": f"Mug No. {number}", "price": 4 + number} for number in range(1, 21)}


@asynccontextmanager
async def sending(_: FastAPI) -> AsyncIterator[None]:
    """Sends what this worker records while it runs."""
    clock = SystemClock()
    sender = Sender(current(), "http://127.0.0.1:8503", Spool("data/shop.spool", clock), clock, service="shop")
    sender.start()
    yield
    sender.stop()


app = FastAPI(title="Shop", lifespan=sending)
app.add_middleware(PerformanceMiddleware)


@app.get("/products/{number}")
async def product(number: int) -> dict[str, object]:
    """One product, at once."""
    if number not in PRODUCTS:
        raise HTTPException(404, "no such product")
    return PRODUCTS[number]


@app.get("/search")
async def search(text: str = "") -> list[dict[str, object]]:
    """Products by name, as slow as a table without an index."""
    await asyncio.sleep(random.lognormvariate(-2.5, 0.5))
    return [each for each in PRODUCTS.values() if text.lower() in str(each["name"]).lower()]


@app.post("/orders", status_code=201)
async def order(number: int) -> dict[str, int]:
    """Buys; the payment fails one time in fifty."""
    await asyncio.sleep(0.02)
    if random.random() < 0.02:
        raise RuntimeError("the payment provider does not answer")
    return {"order": random.randrange(10**6), "product": number}


@app.get("/catalogue.csv")
async def catalogue() -> StreamingResponse:
    """Everything, line by line."""

    async def lines() -> AsyncIterator[str]:
        for each in PRODUCTS.values():
            await asyncio.sleep(0.005)
            yield f"{each['id']},{each['name']},{each['price']}\n"

    return StreamingResponse(lines(), media_type="text/csv")
