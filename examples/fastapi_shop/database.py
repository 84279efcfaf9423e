"""The shop's SQLite database. Its table of orders lacks an index on the customer, on purpose."""

from __future__ import annotations

import sqlite3
from pathlib import Path

FILE = Path("data") / "shop.sqlite"
PRODUCTS = 500
ORDERS = 400_000
CUSTOMERS = 2_000

_TABLES = """
CREATE TABLE products (id INTEGER PRIMARY KEY, name TEXT, price REAL, stock INTEGER);
CREATE TABLE catalogue (id INTEGER PRIMARY KEY, text TEXT);
CREATE TABLE orders (id INTEGER PRIMARY KEY, customer INTEGER, product INTEGER);
"""


def connect(file: Path = FILE) -> sqlite3.Connection:
    """A connection that any thread may use; a new file is filled first."""
    file.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(file, check_same_thread=False, timeout=30.0)
    connection.execute("PRAGMA journal_mode = WAL")
    if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0:
        _fill(connection)
    return connection


def _fill(connection: sqlite3.Connection) -> None:
    connection.executescript(_TABLES)
    names = [(number, f"Mug No. {number}", 4.0 + number % 17, 100) for number in range(1, PRODUCTS + 1)]
    connection.executemany("INSERT INTO products VALUES (?, ?, ?, ?)", names)
    texts = [(number, f"Mug No. {number}, blue, holds {number % 5} cups") for number in range(1, 20 * PRODUCTS + 1)]
    connection.executemany("INSERT INTO catalogue VALUES (?, ?)", texts)
    sold = ((number % CUSTOMERS, number % PRODUCTS + 1) for number in range(ORDERS))
    connection.executemany("INSERT INTO orders (customer, product) VALUES (?, ?)", sold)
    connection.commit()
