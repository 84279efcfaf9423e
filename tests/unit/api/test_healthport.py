"""The second port when something goes wrong with it; over HTTP it is tested with real servers."""

from __future__ import annotations

import logging
import socket

import pytest

from perf.api.healthport import HealthPort


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_port_that_fails_says_so_and_leaves_nobody_waiting(caplog: pytest.LogCaptureFixture) -> None:
    port = HealthPort([], host="127.0.0.1", port=0, hosts=())
    port._server.config.http = "perf.nothing:Here"
    with caplog.at_level(logging.ERROR):
        port.start()
        port._thread.join(30.0)
    assert f"the health port {port.port} failed" in caplog.text
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port.port), timeout=10.0)
    port.stop()
