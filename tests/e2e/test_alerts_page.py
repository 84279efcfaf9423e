"""The Alerts page in a real Chromium: a rule is tried on history, saved, fires on real load, and is acknowledged, silenced and resolved."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from urllib.request import Request, urlopen

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.services import Site, eventually, site

PATIENCE = 30_000
SOON = 90.0
RULE = "Memory in use"
CONDITION = "name == 'memory_usage_percent' and value > 0.1"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server that measures this machine, and tells a file of what fires at once."""
    folder = tmp_path_factory.mktemp("alerts")
    variables = {
        "PERF_DASHBOARD__REFRESH": "1s",
        "PERF_ALERTS__GROUP_WAIT": "1s",
        "PERF_ALERTS__FILE__PATH": str(folder / "alerts.jsonl"),
        "PERF_ALERTS__CHANNELS": "file",
    }
    with site(folder, port=None, **variables) as found:
        yield found


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1440, "height": 1100}, timezone_id="Europe/Berlin")
    found = context.new_page()
    found.set_default_timeout(PATIENCE)
    yield found
    context.close()


def typed(page: Page, label: str, words: str) -> None:
    """Fill in the field called *label*."""
    field = page.locator(f'input[aria-label="{label}"]').first
    field.fill(words)
    field.press("Enter")
    page.wait_for_selector('.stApp[data-test-script-state="notRunning"]')


def shown(page: Page, words: str) -> None:
    expect(page.get_by_text(words).first).to_be_visible()


def pressed(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).first.click()


def previewed(site: Site) -> bool:
    """Whether the rule would have fired for so long that the page, which asks up to the last ten seconds, knows of it, too."""
    rule = {"name": RULE, "condition": CONDITION}
    body = json.dumps({"rule": rule, "from": "now-5m"}).encode()
    with urlopen(Request(f"{site.url}/api/v1/alerts/preview", body, {"content-type": "application/json"})) as answer:
        return float(json.load(answer)["seconds"]) >= 25.0


def incidents(site: Site, state: str) -> list[dict[str, object]]:
    with urlopen(f"{site.url}/api/v1/alerts/incidents?state={state}") as answer:
        found: list[dict[str, object]] = json.load(answer)["incidents"]
    return [one for one in found if one["rule"] == RULE]


@pytest.mark.timeout(300)
def test_a_rule_is_tried_saved_fires_and_is_looked_after(served: Site, page: Page) -> None:
    eventually(
        lambda: previewed(served), seconds=SOON, every=0.5
    )  # before a page is open: one costs a quarter of a processor
    page.goto(f"{served.url}/alerts?part=Rules&range=5m")
    shown(page, "this rule would have fired")
    typed(page, "Name", RULE)
    typed(page, "Condition", "name == 'memory_usage_percent' and value >> 1")
    shown(page, "column")
    typed(page, "Condition", CONDITION)
    typed(page, "For", "0s")
    shown(page, "1 time")
    expect(page.locator('[aria-label="What other limits and durations would have meant"]')).to_be_visible()
    pressed(page, "Save")
    page.wait_for_url(re.compile(r"rule=Memory(\+|%20)in"))  # "Saved" is gone after four seconds; this stays.

    eventually(lambda: incidents(served, "open"), seconds=SOON, every=0.5)
    page.goto(f"{served.url}/alerts")
    shown(page, "nobody has acknowledged it")
    expect(page.get_by_role("link", name="Look into it")).to_be_visible()
    typed(page, "Your name", "Ada")
    pressed(page, "Acknowledge")
    shown(page, "Ada looks after it")
    assert incidents(served, "open")[0]["acknowledged_by"] == "Ada"
    pressed(page, "Silence")
    shown(page, "Ada looks after it, silenced")
    before = incidents(served, "open")[0]["id"]
    pressed(page, "Resolve")
    eventually(lambda: before in [one["id"] for one in incidents(served, "resolved")], seconds=SOON)

    page.goto(f"{served.url}/alerts?part=History")
    rows = page.locator('[aria-label="Incidents, the newest first"] table tbody tr')
    eventually(lambda: any("Ada" in text for text in rows.all_text_contents()), seconds=SOON)
    page.goto(f"{served.url}/alerts?part=Silences")
    shown(page, "End it")


def test_a_test_message_goes_the_whole_way(served: Site, page: Page) -> None:
    page.goto(f"{served.url}/alerts?part=Deliveries")
    pressed(page, "Send test")
    shown(page, ": delivered in")
