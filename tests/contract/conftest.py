"""What the tests of all stores share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from perf.store.duckdb import upkeep
from tests.owners import Owners


@pytest.fixture(autouse=True, scope="module")
def _upkeep_takes_its_time() -> Iterator[None]:
    """Tests count turns of upkeep: one that is held up must not leave the rest to a turn that never comes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(upkeep, "BUDGET_SECONDS", 3600.0)
        yield


@pytest.fixture
def owners() -> Iterator[Owners]:
    """Owners for remote stores; ended after the stores are closed."""
    found = Owners()
    yield found
    found.close()
