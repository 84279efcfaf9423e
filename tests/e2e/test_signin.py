"""Signing in with a real browser: deep links, roles, what is disabled, the end of a session, and no outside request."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browsers import close_pages, lasting
from tests.services import Site
from tests.signedin import guarded_site, password, send, session

PATIENCE = 30_000


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with guarded_site(tmp_path_factory.mktemp("signin")) as found:
        yield found


@pytest.fixture(scope="module")
def tabs(browser: Browser, served: Site) -> Iterator[BrowserContext]:
    with lasting(browser, f"{served.url}/health/live", viewport={"width": 1440, "height": 1100}) as found:
        found.set_default_timeout(PATIENCE)
        yield found


@pytest.fixture
def context(tabs: BrowserContext) -> Iterator[BrowserContext]:
    """Nobody is signed in."""
    tabs.clear_cookies()
    yield tabs
    close_pages(tabs)


def sign_in(page: Page, name: str, secret: str | None = None) -> None:
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(password(name) if secret is None else secret)
    page.get_by_role("button", name="Sign in").click()


def settled(page: Page) -> None:
    page.wait_for_selector('[data-testid="stSidebarNav"]')
    page.wait_for_function("document.querySelector('.stApp')?.dataset.testScriptState === 'notRunning'")


def opened(context: BrowserContext, served: Site, path: str, name: str) -> Page:
    page = context.new_page()
    page.goto(served.url + path)
    sign_in(page, name)
    settled(page)
    return page


def test_a_deep_link_leads_through_the_sign_in_to_where_it_points(context: BrowserContext, served: Site) -> None:
    page, complaints, requests = context.new_page(), [], []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(f"{served.url}/alerts?part=Rules")
    expect(page).to_have_url(re.compile("/signin"))
    sign_in(page, "ada", "wrong, wrong")
    expect(page.get_by_role("alert")).to_have_text("Name or password is wrong.")
    expect(page.get_by_label("Name")).to_have_value("ada")
    sign_in(page, "ada")
    settled(page)
    parts = urlsplit(page.url)
    assert (parts.path, parts.query) == ("/alerts", "part=Rules")
    expect(page.get_by_role("heading", name="Alerts")).to_be_visible()
    expect(page.get_by_text("Signed in as ada")).to_be_visible()
    # The refused attempt is one answer of 401, and Streamlit looks for itself below a page's path first.
    assert [one for one in complaints if "401" not in one and "404" not in one] == []
    assert [url for url in requests if not url.startswith((served.url, "data:", "blob:"))] == []


@pytest.mark.parametrize("path", ["/", "/trends", "/functions", "/cache", "/checks", "/settings", "/alerts"])
def test_the_content_policy_lets_every_page_draw(context: BrowserContext, served: Site, path: str) -> None:
    violations: list[str] = []
    context.add_cookies([_cookie(served, "ada")])
    page = context.new_page()
    page.on("console", lambda message: violations.append(message.text) if "Content Security" in message.text else None)
    answer = page.goto(served.url + path)
    assert answer is not None
    assert "frame-ancestors 'self'" in answer.headers["content-security-policy"]
    settled(page)
    expect(page.locator('[data-testid="stException"]')).to_have_count(0)
    assert violations == []


def test_a_viewer_sees_what_they_may_not_do_disabled_with_the_reason(context: BrowserContext, served: Site) -> None:
    page = opened(context, served, "/settings", "vera")
    store = page.get_by_role("button", name="Store").first
    expect(store).to_be_disabled()
    expect(page.get_by_text("API keys: Needs an admin: you are signed in as vera.")).to_be_visible()
    expect(page.get_by_text("The audit log: Needs an admin: you are signed in as vera.")).to_be_visible()
    expect(page.get_by_role("button", name="Make a key")).to_have_count(0)


def test_an_admin_makes_a_key_sees_it_once_and_revokes_it(context: BrowserContext, served: Site) -> None:
    page = opened(context, served, "/settings", "ada")
    page.get_by_label("Name", exact=True).fill("from the page")
    page.get_by_role("button", name="Make a key").click()
    shown = page.locator('[data-testid="stCode"]', has_text="perf_")
    expect(shown).to_be_visible()
    key = shown.inner_text().strip()
    assert send(served.url, "/api/v1/cache/invalidate", {"key": "x"}, Authorization=f"Bearer {key}").status == 403
    page.get_by_role("button", name="Revoke").click()
    expect(page.get_by_role("button", name="Revoke")).to_have_count(0)
    expect(shown).to_have_count(0)
    assert send(served.url, "/api/v1/cache/invalidate", {"key": "x"}, Authorization=f"Bearer {key}").status == 401


def test_signing_out_ends_the_session_everywhere(context: BrowserContext, served: Site) -> None:
    page = opened(context, served, "/", "otto")
    other = context.new_page()
    other.goto(f"{served.url}/trends")
    settled(other)
    page.get_by_role("link", name="Sign out").click()
    expect(page.get_by_text("You are signed in as otto.")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(page).to_have_url(re.compile("/signin$"))
    expect(other).to_have_url(re.compile("/signin"), timeout=60_000)  # by itself
    page.go_back()
    page.go_back()
    expect(page).to_have_url(re.compile("/signin"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_sign_in_page_is_readable_in_both_themes_without_scripts(
    browser: Browser, served: Site, scheme: str
) -> None:
    with browser.new_context(color_scheme=scheme, java_script_enabled=False) as context:  # type: ignore[arg-type]  # one of its words
        page = context.new_page()
        page.goto(f"{served.url}/signin")
        expect(page.get_by_role("button", name="Sign in")).to_be_visible()
        back = page.locator("main").evaluate("(one) => getComputedStyle(one).backgroundColor")
        text = page.locator("h1").evaluate("(one) => getComputedStyle(one).color")
        assert contrast(back, text) > 7.0
        sign_in(page, "vera")
        expect(page).not_to_have_url(re.compile("/signin"))


def contrast(*colors: str) -> float:
    """Contrast of two colours by WCAG 2.2."""
    lights = []
    for color in colors:
        parts = [int(part) / 255 for part in re.findall(r"\d+", color)[:3]]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        lights.append(0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2])
    return (max(lights) + 0.05) / (min(lights) + 0.05)


def _cookie(served: Site, name: str) -> dict[str, object]:
    key, _, value = session(served.url, name).partition("=")
    return {"name": key, "value": value, "url": served.url}


def test_a_page_that_stays_open_leads_to_the_sign_in_when_its_session_ends(
    context: BrowserContext, served: Site
) -> None:
    page = opened(context, served, "/?range=15m", "otto")
    expect(page.locator(".js-plotly-plot").first).to_be_visible()
    own = {"Cookie": session(served.url, "ada"), "Origin": served.url}
    assert send(served.url, "/api/v1/sessions/end", {"name": "otto"}, **own).status == 204
    expect(page).to_have_url(re.compile("/signin"), timeout=60_000)
    sign_in(page, "otto")
    settled(page)
    parts = urlsplit(page.url)
    assert (parts.path, parts.query) == ("/", "range=15m")
