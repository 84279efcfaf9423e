"""``Idempotency-Key``: a repeated request does nothing a second time."""

from __future__ import annotations

import asyncio

import pytest
from starlette.responses import Response

from perf.api.problem import ApiError
from perf.api.repeats import KEPT, MOST, Repeats
from perf.clock import ManualClock
from tests.unit.api.conftest import Api

PATH = "/api/v1/annotations"


@pytest.fixture
def writing(api: Api) -> Api:
    api.runtime.start()
    return api


def post(api: Api, body: str, key: str) -> tuple[int, dict[str, object], bool]:
    headers = {"content-type": "application/json", "idempotency-key": key}
    answer = api.client.post(PATH, content=body, headers=headers)
    return answer.status_code, answer.json(), answer.headers.get("idempotency-replayed") == "true"


def test_the_same_request_is_answered_again_and_does_nothing(writing: Api) -> None:
    first = post(writing, '{"title": "v1"}', "k-1")
    assert post(writing, '{"title": "v1"}', '"k-1"') == (*first[:2], True)
    assert (first[0], first[2]) == (201, False)
    assert len(writing.get(PATH, "to=" + str(writing.runtime.clock.now() + 1)).json()["annotations"]) == 1


def test_another_body_under_the_same_key_makes_no_sense(writing: Api) -> None:
    post(writing, '{"title": "v1"}', "k-1")
    status, problem, _ = post(writing, '{"title": "v2"}', "k-1")
    assert (status, problem["title"]) == (422, "The request makes no sense")


def test_after_a_refusal_the_key_may_be_used_again(writing: Api) -> None:
    assert post(writing, '{"title": ""}', "k-1")[0] == 400
    assert post(writing, '{"title": "v1"}', "k-1")[0] == 201


@pytest.mark.parametrize("key", ["", "a b", "k" * 201, "\u00e9"], ids=["empty", "space", "long", "not-ascii"])
def test_a_key_that_is_none_is_refused(writing: Api, key: str) -> None:
    headers = {b"content-type": b"application/json", b"idempotency-key": key.encode()}
    assert writing.client.post(PATH, content=b'{"title": "v1"}', headers=headers).status_code == 400


async def _ok() -> Response:
    return Response("done")


def test_while_it_is_answered_a_second_request_is_told_to_wait() -> None:
    async def run() -> None:
        repeats, go = Repeats(ManualClock()), asyncio.Event()

        async def slow() -> Response:
            await go.wait()
            return Response("done")

        first = asyncio.create_task(repeats.once("c", "k", b"", slow))
        await asyncio.sleep(0)
        with pytest.raises(ApiError) as refused:
            await repeats.once("c", "k", b"", _ok)
        assert refused.value.status == 409
        go.set()
        assert (await first).body == b"done"
        assert (await repeats.once("c", "k", b"", slow)).headers["idempotency-replayed"] == "true"

    asyncio.run(run())


def test_answers_are_kept_for_a_day_and_so_many_of_them() -> None:
    async def run() -> None:
        clock = ManualClock()
        repeats, done = Repeats(clock), []

        async def act() -> Response:
            done.append(1)
            return Response("done")

        await repeats.once("c", "k", b"", act)
        clock.move(KEPT + 1)
        await repeats.once("c", "k", b"", act)
        assert len(done) == 2
        for number in range(MOST):
            await repeats.once("c", f"n{number}", b"", _ok)
        await repeats.once("c", "k", b"", act)
        assert len(done) == 3
        assert len(repeats._kept) <= MOST

    asyncio.run(run())


def test_answers_end_behind_one_that_is_still_given() -> None:
    async def run() -> None:
        clock = ManualClock()
        repeats, over = Repeats(clock), asyncio.Event()

        async def long() -> Response:
            await over.wait()
            return Response("done")

        first = asyncio.create_task(repeats.once("c", "long", b"", long))
        await asyncio.sleep(0)
        for number in range(3):
            await repeats.once("c", f"n{number}", b"", _ok)
        clock.move(KEPT + 1)
        await repeats.once("c", "new", b"", _ok)
        assert len(repeats._kept) == 1
        with pytest.raises(ApiError, match="is being answered"):
            await repeats.once("c", "long", b"", _ok)
        over.set()
        await first
        again = await repeats.once("c", "long", b"", _ok)
        assert again.headers["idempotency-replayed"] == "true"

    asyncio.run(run())
