"""What is chosen by name: found, refused, and what the refusal says."""

from __future__ import annotations

import pytest

from perf.errors import PluginError
from perf.plugins import CHANNELS, SOURCES, STORES, resolve


@pytest.mark.parametrize(
    ("kind", "name", "table"),
    [
        (kind, name, table)
        for kind, table in (("store", STORES), ("source", SOURCES), ("channel", CHANNELS))
        for name in table
    ],
)
def test_every_listed_name_is_a_class(kind: str, name: str, table: dict[str, str]) -> None:
    assert resolve(kind, name, table).__name__ == table[name].partition(":")[2]


def test_an_unknown_name_says_what_is_known() -> None:
    with pytest.raises(PluginError, match=r"^no store 'dukdb'; known: duckdb, memory, remote$"):
        resolve("store", "dukdb", STORES)


def test_a_missing_package_says_what_to_install() -> None:
    with pytest.raises(PluginError, match=r"^store 'x' needs a package that is missing: pip install no_such_package$"):
        resolve("store", "x", {"x": "no_such_package.store:XStore"})


def test_a_name_that_leads_to_no_class_is_an_error() -> None:
    with pytest.raises(PluginError, match=r"store 'x': perf\.plugins:resolve is not a class"):
        resolve("store", "x", {"x": "perf.plugins:resolve"})
