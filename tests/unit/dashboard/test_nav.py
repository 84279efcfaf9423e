"""The list of pages."""

from __future__ import annotations

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from dashboard import nav


def test_every_page_is_listed_and_every_entry_has_its_page() -> None:
    assert sorted(entry.source.name for entry in nav.ENTRIES) == sorted(path.name for path in nav.PAGES.glob("*.py"))


@pytest.mark.parametrize("field", ["file", "title", "path"])
def test_no_two_pages_share_their_name_or_address(field: str) -> None:
    values = [getattr(entry, field) for entry in nav.ENTRIES]
    assert len(set(values)) == len(values)
    assert all(values)


def test_no_page_hides_an_address_of_the_interface() -> None:
    assert not {"api", "assets", "health", "metrics"} & {entry.path for entry in nav.ENTRIES}


def test_the_name_of_the_first_page_leads_to_it() -> None:
    client = TestClient(Starlette(routes=nav.routes()))
    answer = client.get("/overview?range=3h", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (307, "./?range=3h")


def test_a_page_is_found_by_its_title() -> None:
    assert [nav.entry(entry.title) for entry in nav.ENTRIES] == list(nav.ENTRIES)
