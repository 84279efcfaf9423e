"""A shop for health checks to look at: a server that answers, a database, an export that is too old, and a provider that is down."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

SETTINGS = """\
[health.probes.gateway]
kind = "http"
url = "http://127.0.0.1:{port}/ping"

[health.probes.orders]
kind = "data"
path = "{folder}/orders.sqlite"
table = "orders"
min_rows = 1

[health.probes.shop]
kind = "http"
url = "http://127.0.0.1:{port}/shop"
after = ["gateway", "orders"]
text = "open"

[health.probes.payments]
kind = "http"
url = "http://127.0.0.1:{port}/down"
critical = false

[health.probes.checkout]
kind = "http"
url = "http://127.0.0.1:{port}/shop"
after = ["shop", "payments"]

[health.probes.exports]
kind = "data"
path = "{folder}/exports/*.csv"
max_age = "25h"
critical = false
"""


class Shop(BaseHTTPRequestHandler):
    """Open, but for ``/down``."""

    def do_GET(self) -> None:
        self.send_response(503 if self.path == "/down" else 200)
        self.end_headers()
        self.wfile.write(b"open")

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@contextmanager
def shop(folder: Path) -> Iterator[Path]:
    """Settings that name its checks; everything is in *folder*."""
    with closing(sqlite3.connect(folder / "orders.sqlite")) as connection:
        connection.execute("CREATE TABLE orders (id INTEGER, total REAL)")
        connection.executemany("INSERT INTO orders VALUES (?, ?)", [(n, 9.99) for n in range(1_204)])
        connection.commit()
    export = folder / "exports" / "orders.csv"
    export.parent.mkdir()
    export.write_text("id,total\n1,9.99\n", encoding="utf-8")
    old = time.time() - 26.2 * 3600  # noqa: TID251 - the age of a file is a matter of the system's clock
    os.utime(export, (old, old))
    server = ThreadingHTTPServer(("127.0.0.1", 0), Shop)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    settings = folder / "perf.toml"
    settings.write_text(SETTINGS.format(port=server.server_address[1], folder=folder), encoding="utf-8")
    try:
        yield settings
    finally:
        server.shutdown()
        server.server_close()
