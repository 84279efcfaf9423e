"""The browser of the tests that look at pages."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.services import CHROMIUM_ARGUMENTS, chromium

PATIENCE = 30_000
"""Milliseconds in which what is expected of a page comes true, also on a loaded machine."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium; a file's own, so that it ends with the sessions of that file."""
    path = chromium()
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=path, args=CHROMIUM_ARGUMENTS, timeout=90_000)
        yield found
        found.close()
