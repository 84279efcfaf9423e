"""What tests start real things with."""

from __future__ import annotations

from tests.services import PORTS, free_port


def test_a_port_is_given_once() -> None:
    # By chance alone, so many out of so few would be different once in millions.
    wanted = PORTS // 10
    assert len({free_port() for _ in range(wanted)}) == wanted
