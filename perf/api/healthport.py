"""A second port that serves only ``/health`` and ``/metrics``, on a thread of its own: it answers while the first one is busy."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Self

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from perf.api import health
from perf.api.guard import Guard
from perf.api.hosts import KnownHosts
from perf.api.needs import Rules, of
from perf.api.parts import made
from perf.api.problem import guarded, http_error
from perf.api.requests import RequestIds
from perf.api.routing import mounted
from perf.errors import SettingsError
from perf.health import HealthChecker, endpoints
from perf.runtime import Runtime

STARTED_WITHIN = 10.0
_log = logging.getLogger(__name__)


class HealthPort:
    """Listens on *host* and *port* (0 takes a free one) from the start. Raises: SettingsError when it is taken."""

    def __init__(
        self,
        routes: Sequence[BaseRoute],
        *,
        host: str,
        port: int,
        hosts: tuple[str, ...],
        guarding: Sequence[Middleware] = (),
    ) -> None:
        """*guarding* finds out who asks; without it everybody is local."""
        self._socket = _listening(host, port)
        self.port: int = self._socket.getsockname()[1]
        app = Starlette(
            routes=list(routes),
            middleware=[Middleware(RequestIds), Middleware(KnownHosts, hosts=hosts), *guarding],
            exception_handlers={HTTPException: http_error},
        )
        config = uvicorn.Config(
            app, log_config=None, access_log=False, server_header=False, lifespan="off", timeout_graceful_shutdown=2
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._run, name="perf-health-port", daemon=True)

    def __enter__(self) -> Self:
        """`start`."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """`stop`."""
        self.stop()

    def start(self) -> None:
        """Answer from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Answer what is being asked, then listen no more."""
        self._server.should_exit = True
        if self._thread.ident is not None:
            self._thread.join(STARTED_WITHIN)
        self._socket.close()

    def _run(self) -> None:
        # Signals are the main thread's: uvicorn leaves them alone on another one.
        try:
            with contextlib.suppress(asyncio.CancelledError):
                self._server.run(sockets=[self._socket])
        except BaseException:  # also SystemExit, which ends a thread without a word
            _log.exception("the health port %d failed", self.port)
            raise
        finally:
            # Whoever asks is refused, and not left waiting for somebody to take the connection.
            self._socket.close()


def open_port(runtime: Runtime, host: str, hosts: tuple[str, ...]) -> AbstractContextManager[HealthPort | None]:
    """The port that the settings of *runtime* name, on *host*, for requests to *hosts*; nothing when they name none.

    Raises: SettingsError when it is taken.
    """
    port = runtime.settings.production.health_port
    if not port:
        return contextlib.nullcontext()
    routes = mounted(runtime, health.ENDPOINTS, made(runtime, health.ENDPOINTS))
    guard = Middleware(Guard, access=runtime.access, rules=Rules(of(health.ENDPOINTS)))
    return HealthPort(routes, host=host, port=port, hosts=hosts, guarding=[guard])


def gates(health_of: Callable[[], HealthChecker], *, bare: bool = False) -> list[Route]:
    """``/health``, ``/health/ready`` and ``/health/live`` of a process that may own no store; *bare* without details."""

    def answer(body: dict[str, object]) -> Response:
        told = endpoints.bare(body) if bare else body
        return JSONResponse(told, endpoints.http_code(body), headers={"cache-control": "no-store"})

    async def all_of_it(_: Request) -> Response:
        return answer(await run_in_threadpool(health_of().get_health_endpoint_response))

    async def ready(_: Request) -> Response:
        return answer(health_of().get_readiness_check())

    async def live(_: Request) -> Response:
        return answer(health_of().get_liveness_check())

    return [
        Route("/health", guarded(all_of_it)),
        Route("/health/ready", guarded(ready)),
        Route("/health/live", guarded(live)),
    ]


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=128)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
        raise SettingsError(
            f"production.health_port: can't listen on {host}:{port}: {reason}; choose another with PERF_HEALTH_PORT"
        ) from error
