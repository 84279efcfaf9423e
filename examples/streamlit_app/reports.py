"""What the back office asks the shop's database."""

from __future__ import annotations

from functools import lru_cache
from sqlite3 import Connection

import pandas as pd

import perf.instrument.dbapi
from examples.fastapi_shop import database
from perf.monitoring import track_performance


@lru_cache(maxsize=1)
def _connection() -> Connection:
    return perf.instrument.dbapi.instrument(database.connect())


@track_performance("office.totals", "report")
def totals(customers: int) -> pd.DataFrame:
    """Orders by product, of the first *customers*."""
    text = "SELECT product, count(*) FROM orders WHERE customer < ? GROUP BY product ORDER BY 2 DESC LIMIT 20"
    return pd.DataFrame(_connection().execute(text, (customers,)).fetchall(), columns=["product", "orders"])


@track_performance("office.stock", "report")
def stock(limit: int) -> pd.DataFrame:
    """Products of which fewer than *limit* are left."""
    text = "SELECT name, stock FROM products WHERE stock < ? ORDER BY stock LIMIT 50"
    return pd.DataFrame(_connection().execute(text, (limit,)).fetchall(), columns=["product", "left"])
