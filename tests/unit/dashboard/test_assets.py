"""What is served under ``/assets``, and what isn't."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import plotly
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

from dashboard import assets, theme

FOLDER = Path(assets.__file__).parent / "components" / "live"


@pytest.fixture(scope="module")
def client() -> TestClient:
    return TestClient(Starlette(routes=assets.routes()))


def test_every_script_of_the_folder_is_served(client: TestClient) -> None:
    names = {path.name for path in FOLDER.glob("*.js")} | {"served.js"}

    assert names == set(assets.MODULES)
    assert {client.get(f"/{assets.live_path()}{name}").status_code for name in names} == {200}


def test_scripts_are_what_stands_in_the_files(client: TestClient) -> None:
    answer = client.get(f"/{assets.live_path()}units.js")

    assert answer.text == (FOLDER / "units.js").read_text(encoding="utf-8")
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    assert answer.headers["content-encoding"] == "gzip"


def test_answers_may_be_kept_for_a_year(client: TestClient) -> None:
    answer = client.get(f"/{assets.live_path()}live.css")

    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["vary"] == "Accept-Encoding"


@pytest.mark.parametrize("accepted", ["identity", "gzip;q=0", "br"])
def test_a_reader_without_gzip_gets_it_plain(client: TestClient, accepted: str) -> None:
    answer = client.get(f"/{assets.live_path()}live.css", headers={"accept-encoding": accepted})

    assert "content-encoding" not in answer.headers
    sheets = [(FOLDER / name).read_text(encoding="utf-8") for name in ("panel.css", "chart.css", "tiles.css")]
    assert answer.text == "\n".join(sheets)
    assert set(sheets) == {path.read_text(encoding="utf-8") for path in FOLDER.glob("*.css")}


def test_plotly_is_the_installed_one(client: TestClient) -> None:
    own = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"

    answer = client.get(f"/{assets.plotly_path()}")

    assert answer.content == own.read_bytes()
    assert int(answer.headers["content-length"]) < own.stat().st_size / 2
    assert client.get(f"/{assets.plotly_path()}").headers["content-length"] == answer.headers["content-length"]


@pytest.mark.parametrize(
    "path",
    ["", "/", "/nothing.js", "/live-000000000000/main.js", "/../assets.py", "/%2e%2e/assets.py", "/live.css"],
)
def test_anything_else_is_not_found(client: TestClient, path: str) -> None:
    answer = client.get(f"/assets{path}")

    assert answer.status_code == 404
    assert answer.headers.get("cache-control") == "no-store" or ".." in path or "2e" in path


def test_addresses_change_with_the_content(monkeypatch: pytest.MonkeyPatch) -> None:
    before = assets.live_path()
    assets.live_path.cache_clear()
    assets._served.cache_clear()
    monkeypatch.setattr(theme, "SERIES_MAX", 5)

    changed = assets.live_path()

    monkeypatch.undo()
    assets.live_path.cache_clear()
    assets._served.cache_clear()
    assert changed != before
    assert assets.live_path() == before


def test_the_browser_gets_pythons_colours(client: TestClient) -> None:
    text = client.get(f"/{assets.live_path()}served.js").text

    found = re.search(r"^export const STATUS = (.*);$", text, re.MULTILINE)

    assert found is not None
    assert json.loads(found[1])["critical"] == {"color": "#AC325E", "shape": "■", "word": "critical"}


def test_only_pages_say_where_plotly_is() -> None:
    async def home(_: Request) -> Response:
        return HTMLResponse("<p>")

    app = Starlette(routes=[Route("/", home), *assets.routes()], middleware=[Middleware(assets.Preload)])
    client = TestClient(app)

    assert client.get("/").headers["link"] == f"<{assets.plotly_path()}>; rel=preload; as=script"
    assert "link" not in client.get(f"/{assets.live_path()}main.js").headers


def test_compressing_is_done_once() -> None:
    path = assets.plotly_path()

    assert assets._compressed(path) is assets._compressed(path)
    assert gzip.decompress(assets._compressed(path)) == assets._plain(path)
