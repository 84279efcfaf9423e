"""What the tests of all stores share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.owners import Owners


@pytest.fixture
def owners() -> Iterator[Owners]:
    """Owners for remote stores; ended after the stores are closed."""
    found = Owners()
    yield found
    found.close()
