"""What middleware adds to a request: ours, prometheus-fastapi-instrumentator's and OpenTelemetry's, against none.

python -m tests.bench.bench_asgi            (in one process, rounds interleaved, minimum of each)
python -m tests.bench.bench_asgi --server   (also over a real uvicorn with a raw client)
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.services import answers, environment, eventually, free_port, program

TARGET_MICROSECONDS = 5.0
REQUESTS = 2_000
ROUNDS = 15
SERVER_REQUESTS = 4_000
SERVER_ROUNDS = 3
CONNECTIONS = 8
PATH = "/items/7"


def bare() -> Starlette:
    """One route with a parameter."""

    async def item(request: Request) -> Response:
        return Response(b"x")

    return Starlette(routes=[Route("/", item), Route("/items/{id:int}", item)])


def ours() -> Any:
    """With perf."""
    from perf.instrument.asgi import PerformanceMiddleware

    return PerformanceMiddleware(bare())


def instrumentator() -> Any:
    """With prometheus-fastapi-instrumentator."""
    from prometheus_client import CollectorRegistry
    from prometheus_fastapi_instrumentator import Instrumentator

    app = bare()
    Instrumentator(registry=CollectorRegistry()).instrument(app)
    return app


def opentelemetry() -> Any:
    """With OpenTelemetry's ASGI middleware: its metrics into an SDK that aggregates, spans not sampled."""
    from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

    return OpenTelemetryMiddleware(
        bare(), meter_provider=MeterProvider([InMemoryMetricReader()]), tracer_provider=TracerProvider(ALWAYS_OFF)
    )


def asgi_bare() -> Any:
    """Without anything."""
    return bare()


APPS: dict[str, Callable[[], Any]] = {
    "bare": asgi_bare,
    "perf": ours,
    "prometheus-fastapi-instrumentator": instrumentator,
    "OpenTelemetry ASGI": opentelemetry,
}


async def requests(app: Any, number: int) -> float:
    """Seconds a request when *app* is called as a server does it."""

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: object) -> None: ...

    headers = [(b"host", b"localhost"), (b"user-agent", b"bench")]
    began = perf_counter()
    for _ in range(number):
        scope = {
            "type": "http", "asgi": {"version": "3.0", "spec_version": "2.4"}, "http_version": "1.1", "method": "GET",
            "path": PATH, "raw_path": PATH.encode(), "query_string": b"", "root_path": "", "scheme": "http",
            "headers": headers, "server": ("localhost", 80), "client": ("127.0.0.1", 1),
        }  # fmt: skip
        await app(scope, receive, send)
    return (perf_counter() - began) / number


async def in_process() -> dict[str, float]:
    """Microseconds a request, the minimum of all rounds."""
    apps = {name: make() for name, make in APPS.items()}
    best = dict.fromkeys(apps, float("inf"))
    for _ in range(ROUNDS):
        for name, app in apps.items():
            best[name] = min(best[name], await requests(app, REQUESTS))
        if best["perf"] < float("inf"):
            from perf.record import current

            current().drain(0.0)
    return {name: seconds * 1e6 for name, seconds in best.items()}


async def load(port: int, number: int) -> float:
    """Requests a second of CONNECTIONS clients that write bytes and read answers."""

    async def client(count: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        wanted = f"GET {PATH} HTTP/1.1\r\nhost: localhost\r\n\r\n".encode()
        for _ in range(count):
            writer.write(wanted)
            await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(1)
        writer.close()

    began = perf_counter()
    await asyncio.gather(*(client(number // CONNECTIONS) for _ in range(CONNECTIONS)))
    return number / (perf_counter() - began)


def cpu(pid: int) -> float:
    """CPU seconds of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def over_a_server() -> dict[str, tuple[float, float]]:
    """CPU microseconds of the server a request, and requests a second: medians of interleaved rounds."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in APPS}
    for _ in range(SERVER_ROUNDS):
        for name, make in APPS.items():
            port = free_port()
            target = f"tests.bench.bench_asgi:{make.__name__}"
            command = [sys.executable, "-m", "uvicorn", "--factory", target, "--port", str(port), "--no-access-log"]
            with program([*command, "--log-level", "error"], env=environment()) as process:
                eventually(lambda port=port: answers(f"http://127.0.0.1:{port}/"), seconds=30.0)  # type: ignore[misc]  # mypy can't type it
                asyncio.run(load(port, 400))
                before = cpu(process.pid)
                rate = asyncio.run(load(port, SERVER_REQUESTS))
                found[name].append(((cpu(process.pid) - before) / SERVER_REQUESTS * 1e6, rate))
    return {name: (median(c for c, _ in rounds), median(r for _, r in rounds)) for name, rounds in found.items()}


def main() -> None:
    """Print Markdown tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", action="store_true", help="also over a real uvicorn")
    options = parser.parse_args()
    best = asyncio.run(in_process())
    print(f"## ASGI request, in one process ({REQUESTS:,} requests a round, minimum of {ROUNDS})\n")
    print("| middleware | us a request | added us |\n|---|---|---|")
    for name, micro in best.items():
        print(f"| {name} | {micro:.1f} | {micro - best['bare']:.1f} |")
    print(f"\ntarget: <= {TARGET_MICROSECONDS:g} us added\n")
    if options.server:
        served = over_a_server()
        print(f"## Over uvicorn ({SERVER_REQUESTS:,} requests, {CONNECTIONS} connections, median of {SERVER_ROUNDS})\n")
        print("| middleware | server CPU us a request | added us | requests/s |\n|---|---|---|---|")
        for name, (micro, rate) in served.items():
            print(f"| {name} | {micro:.0f} | {micro - served['bare'][0]:+.0f} | {rate:,.0f} |")


if __name__ == "__main__":
    main()
