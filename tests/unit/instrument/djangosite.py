"""A Django site of a few views, for the tests and for a real server: ``gunicorn tests.unit.instrument.djangosite:wsgi``."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import django
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.exceptions import PermissionDenied
from django.core.wsgi import get_wsgi_application
from django.http import FileResponse, HttpResponse, StreamingHttpResponse
from django.urls import include, path, re_path

from perf.record import current
from perf.record.timers import recorded
from tests.unit.instrument.requested import seen

price = recorded(lambda number: number, current(), name="price")


def item(request: Any, number: int) -> HttpResponse:
    return HttpResponse(str(price(number)))


async def slowly(request: Any) -> HttpResponse:
    await asyncio.sleep(0.02)
    return HttpResponse(str(price(1)))


def broken(request: Any) -> HttpResponse:
    raise LookupError("broken")


async def broken_later(request: Any) -> HttpResponse:
    raise LookupError("broken")


def forbidden(request: Any) -> HttpResponse:
    raise PermissionDenied


def stream(request: Any) -> StreamingHttpResponse:
    def parts() -> Iterator[str]:
        for _ in range(3):
            yield str(price(1))

    return StreamingHttpResponse(parts())


async def stream_later(request: Any) -> StreamingHttpResponse:
    async def parts() -> AsyncIterator[str]:
        for _ in range(3):
            await asyncio.sleep(0.01)
            yield str(price(1))

    return StreamingHttpResponse(parts())


def file(request: Any) -> FileResponse:
    return FileResponse(Path(__file__).open("rb"))


def known(request: Any) -> HttpResponse:
    return HttpResponse(json.dumps([[*key, count] for key, count in seen(current()).items()]))


urlpatterns = [
    path("", lambda request: HttpResponse("x")),
    path("shop/", include([path("items/<int:number>/", item)])),
    re_path(r"^old/(?P<number>\d+)$", item),
    path("slowly", slowly),
    path("broken", broken),
    path("broken_later", broken_later),
    path("forbidden", forbidden),
    path("stream", stream),
    path("stream_later", stream_later),
    path("file", file),
    path("known", known),
]

settings.configure(
    ROOT_URLCONF=__name__,
    ALLOWED_HOSTS=["*"],
    SECRET_KEY="none",
    MIDDLEWARE=["perf.instrument.django.PerformanceMiddleware", "django.middleware.common.CommonMiddleware"],
    DEFAULT_CHARSET="utf-8",
    LOGGING_CONFIG=None,
)
django.setup()
wsgi = get_wsgi_application()
asgi = get_asgi_application()
