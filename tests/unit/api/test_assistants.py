"""``POST /mcp`` as one request: what assistants ask is tested over a real server, with the streams."""

from __future__ import annotations

import json

import httpx2
import pytest

from perf.api import assistants
from tests.unit.api.conftest import Api

LIST = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}


def asked(api: Api, body: bytes) -> httpx2.Response:
    headers = {"content-type": "application/json", "accept": "application/json, text/event-stream"}
    return api.client.post("/mcp", content=body, headers=headers)


@pytest.mark.parametrize("more", [0, 1])
def test_a_request_has_a_largest_size(api: Api, more: int) -> None:
    body = json.dumps(LIST).encode()
    answer = asked(api, body.ljust(assistants.LARGEST + more))
    if more:
        assert (answer.status_code, answer.json()["detail"]) == (413, "a request has at most 1,000,000 bytes")
    else:
        assert answer.status_code == 200
        assert len(answer.json()["result"]["tools"]) == 6


def test_what_is_nested_without_end_is_refused(api: Api) -> None:
    answer = asked(api, b'{"jsonrpc":"2.0","id":1,"method":"tools/list","params":' + b"[" * 100_000)
    assert answer.status_code == 400
