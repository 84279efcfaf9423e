"""Endless answers: ended from elsewhere, they close properly; others are left alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.types import Message

from perf.api.endless import EndlessAnswers
from perf.runtime.streams import Streams

SCOPE = {"type": "http", "method": "GET", "path": "/", "headers": [], "query_string": b""}


async def events() -> AsyncIterator[bytes]:
    yield b"data: 1\n\n"
    await asyncio.Event().wait()


async def asked(streams: Streams, answer: object, sent: list[Message]) -> None:
    async def never() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Message) -> None:
        sent.append(message)

    await EndlessAnswers(answer, streams)(dict(SCOPE), never, send)  # type: ignore[arg-type]


def test_an_endless_answer_closes_when_it_is_ended() -> None:
    async def run() -> list[Message]:
        streams, sent = Streams(), list[Message]()
        answer = StreamingResponse(events(), media_type="text/event-stream")
        task = asyncio.create_task(asked(streams, answer, sent))
        while len(sent) < 2:
            await asyncio.sleep(0)
        await asyncio.to_thread(streams.end)
        await asyncio.wait_for(task, 10)
        return sent

    sent = asyncio.run(run())
    assert sent[1]["body"] == b"data: 1\n\n"
    assert sent[-1] == {"type": "http.response.body", "body": b"", "more_body": False}


def test_one_that_begins_after_the_end_closes_as_well() -> None:
    async def run() -> list[Message]:
        streams, sent = Streams(), list[Message]()
        streams.end()
        answer = StreamingResponse(events(), media_type="text/event-stream")
        await asyncio.wait_for(asked(streams, answer, sent), 10)
        return sent

    assert asyncio.run(run())[-1]["more_body"] is False


def test_other_answers_come_to_their_own_end() -> None:
    async def run() -> list[Message]:
        streams, sent = Streams(), list[Message]()
        streams.end()
        await asked(streams, PlainTextResponse("whole"), sent)
        return sent

    assert asyncio.run(run())[-1]["body"] == b"whole"


def test_whoever_cancels_a_request_otherwise_gets_it_cancelled() -> None:
    async def run() -> None:
        sent: list[Message] = []
        answer = StreamingResponse(events(), media_type="text/event-stream")
        task = asyncio.create_task(asked(Streams(), answer, sent))
        while len(sent) < 2:
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
