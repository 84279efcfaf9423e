"""Streamlit's own files, as they are sent to a browser."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
import streamlit
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.testclient import TestClient

from dashboard import frontend

STATIC = Path(streamlit.__file__).parent / "static" / "static"


@pytest.fixture(scope="module")
def client() -> TestClient:
    return TestClient(Starlette(middleware=[Middleware(frontend.Frontend)]))


@pytest.mark.parametrize("element", [*frontend.ELEMENTS, "index", "react-dom"])
def test_the_scripts_of_the_first_page_are_held(client: TestClient, element: str) -> None:
    path = next((STATIC / "js").glob(f"{element}.*.js"))

    answer = client.get(f"/static/js/{path.name}")

    assert answer.status_code == 200, "renamed in this version of Streamlit"
    assert answer.content == path.read_bytes()
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    assert "immutable" in answer.headers["cache-control"]


def test_a_reader_without_gzip_gets_it_plain(client: TestClient) -> None:
    path = next((STATIC / "js").glob("Button.*.js"))

    answer = client.get(f"/static/js/{path.name}", headers={"accept-encoding": "identity"})

    assert "content-encoding" not in answer.headers
    assert answer.content == path.read_bytes()


def test_fonts_are_sent_as_they_are(client: TestClient) -> None:
    path = next((STATIC / "media").glob("SourceSansVF-Upright*"))

    answer = client.get(f"/static/media/{path.name}")

    assert answer.headers["content-type"] == "font/woff2"
    assert answer.content == path.read_bytes()


def test_whatever_else_is_passed_on(client: TestClient) -> None:
    rare = next((STATIC / "js").glob("DeckGlJsonChart.*.js"))

    assert client.get(f"/static/js/{rare.name}").status_code == 404
    assert client.get("/static/../app.py").status_code == 404
    assert client.post(f"/static/js/{next((STATIC / 'js').glob('Button.*.js')).name}").status_code == 404


def test_what_is_held_is_small() -> None:
    held = frontend._files()

    assert 50 < len(held) < 200
    assert sum(len(one.body) for one in held.values()) < 2_000_000
    packed = held[next(name for name in held if name.startswith("js/index."))]
    assert len(packed.body) < len(gzip.decompress(packed.body)) / 2
