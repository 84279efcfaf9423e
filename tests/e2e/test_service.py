"""What people see of perf as a service: a profile with its flame chart, unused dashboards that end, the two verbs."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import pytest
from playwright.sync_api import Browser
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from perf.profile.stacks import parsed
from tests.services import environment, eventually, site


class Place(NamedTuple):
    """A dashboard whose sessions live for seconds, long enough to be used on a busy machine, and its folder."""

    url: str
    folder: Path

    def perf(self, *words: str) -> subprocess.CompletedProcess[str]:
        """The command line beside it."""
        env = environment(PERF_STORE__PATH=str(self.folder / "perf.duckdb"))
        command = [sys.executable, "-m", "perf", *words]
        return subprocess.run(command, env=env, capture_output=True, text=True, timeout=90, check=False)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("service")
    with site(
        folder,
        PERF_PRODUCTION__SESSION_MAX_AGE="15s",
        PERF_PRODUCTION__SESSION_INTERVAL="500ms",
        PERF_LOGS__LEVEL="INFO",
    ) as found:
        yield Place(found.url, folder)


def test_the_command_line_profiles_the_running_monitor(place: Place, tmp_path: Path) -> None:
    done = place.perf("profile", "--seconds", "1", "--idle")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[:4] == ["self", "with", "calls", "function"]
    assert "of a core" in done.stderr
    collapsed, speedscope = tmp_path / "hot.txt", tmp_path / "hot.json"
    place.perf("profile", "--seconds", "0.5", "--idle", "--output", str(collapsed))
    assert any(one.frames[0] == "perf-writer" for one in parsed(collapsed.read_text()))
    place.perf("profile", "--seconds", "0.5", "--idle", "--output", str(speedscope), "--format", "speedscope")
    assert {one["type"] for one in json.loads(speedscope.read_text())["profiles"]} == {"sampled"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--rate", "1000"), "perf: --rate: from 1 to 500 looks a second, not 1000"),
        (("--seconds", "121"), "perf: seconds: at most 120 (production.profile_for), not 121"),
        (("--pid", "99999999"), "perf: no process 99999999"),
    ],
    ids=["rate", "seconds", "pid"],
)
def test_a_profile_that_can_not_be_is_refused_in_one_line(place: Place, words: tuple[str, ...], said: str) -> None:
    done = place.perf("profile", *words)
    assert (done.returncode, done.stderr.strip()) == (2, said)


def test_the_level_of_the_log_is_changed_from_the_command_line(place: Place) -> None:
    assert place.perf("log-level").stdout == "INFO\n"
    assert place.perf("log-level", "DEBUG", "--for", "5m").stdout == "DEBUG (changed at run time)\n"
    log = place.folder / "dashboard.log"
    eventually(lambda: "perf.access: GET /api/v1/log-level 200" in log.read_text() or not place.perf("log-level"))
    assert place.perf("log-level", "reset").stdout == "INFO\n"
    assert place.perf("log-level", "--for", "2h", "DEBUG").stderr.startswith("perf: seconds: at most 3600")


@pytest.mark.timeout(180)
def test_a_profile_is_drawn_as_a_flame_chart(place: Place, browser: Browser) -> None:
    page = browser.new_page()
    page.goto(f"{place.url}/profiler", wait_until="commit")
    page.get_by_text("waiting threads, too").click(timeout=60_000)
    page.get_by_label("Seconds").fill("1")
    page.get_by_label("Seconds").press("Tab")
    page.get_by_role("button", name="Profile", exact=False).last.click()
    chart = page.locator(".js-plotly-plot .slice")
    chart.first.wait_for(timeout=60_000)
    assert chart.count() > 10
    page.locator("[data-testid=stMain]").get_by_text("perf-writer").first.wait_for(timeout=30_000)
    page.close()


@pytest.mark.timeout(180)
def test_a_dashboard_that_nobody_uses_is_closed_and_its_tab_begins_anew(place: Place, browser: Browser) -> None:
    page = browser.new_page()
    sockets: list[str] = []
    page.on("websocket", lambda socket: sockets.append(socket.url))
    page.goto(f"{place.url}/trends", wait_until="commit")
    page.get_by_role("heading", name="Trends").wait_for(timeout=60_000)
    log = place.folder / "dashboard.log"
    eventually(lambda: "closed a session that was not used for" in log.read_text(), seconds=60)
    with suppress(PlaywrightTimeout):
        page.wait_for_event("websocket", lambda _: len(sockets) > 1, timeout=60_000)
    assert len(sockets) > 1  # It connected again by itself, and listens:
    page.get_by_role("link", name="Health").click()
    page.get_by_role("heading", name="Health Help").wait_for(timeout=60_000)
    page.close()
