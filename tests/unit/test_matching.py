"""Tests of labels: which values a pattern means, and that asking is always cheap."""

import re
from time import thread_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perf.errors import QueryError
from perf.model import Selector
from perf.model.matching import Match, compiled
from perf.selectors import Expression, parse

LETTERS = st.text("ab.", max_size=8)
PIECES = st.lists(st.sampled_from(["a", "b", r"\.", ".", ".*", ".+", "|"]), max_size=8).map("".join)


@pytest.mark.parametrize(
    ("text", "value", "expected"),
    [
        ("5..", "503", True),
        ("5..", "5031", False),
        ("/api/.*", "/api/", True),
        ("/api/.+", "/api/", False),
        ("GET|POST", "POST", True),
        ("GET|POST", "GETPOST", False),
        (r"1\.2", "1x2", False),
        (r"1\.2", "1.2", True),
        ("", "", True),
        (".*", "two\nlines", True),
    ],
)
def test_a_pattern_means_the_whole_value(text: str, value: str, expected: bool) -> None:
    assert Match("x", text, pattern=True).fits(value) is expected
    assert Match("x", text, negated=True, pattern=True).fits(value) is not expected


@given(PIECES, LETTERS)
def test_patterns_mean_what_they_mean_as_regular_expressions(text: str, value: str) -> None:
    assert (compiled(text).fullmatch(value) is not None) is (re.fullmatch(text, value, re.DOTALL) is not None)


@pytest.mark.parametrize("text", ["(a+)+", "[0-9]", "a{3}", "^a", "a$", "a?", "*", "a*", "x" * 201, "\\"])
def test_other_regular_expressions_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="a pattern"):
        compiled(text)


def test_no_pattern_takes_long() -> None:
    match = Match("x", ".*a" * 60 + "b", pattern=True)
    began = thread_time()
    assert not match.fits("a" * 5_000)
    assert thread_time() - began < 1.0


def test_a_missing_label_is_empty() -> None:
    assert Selector("m", (), (Match("x", "", negated=True),)).matches("m", ()) is False
    assert Selector("m", (), (Match("x", "a", negated=True),)).matches("m", ()) is True
    assert Selector("m", (("y", "1"),), (Match("x", "a|b", pattern=True),)).matches("m", (("x", "b"), ("y", "1")))


def test_tests_are_read_and_written() -> None:
    text = r'sum(rate(m{a="1", code=~"5..", method!="GET", route!~"/health.*"}))'
    expression = parse(text)
    assert expression.selector.tests == (
        Match("code", "5..", pattern=True),
        Match("method", "GET", negated=True),
        Match("route", "/health.*", negated=True, pattern=True),
    )
    assert str(expression) == text
    assert parse(str(Expression(selector=expression.selector))).selector == expression.selector


@pytest.mark.parametrize(
    ("text", "message"),
    [('m{a=~"(x)"}', r"'\(' at 1: a pattern knows .* \(column 6\)"), ('m{a~"x"}', "unexpected '~' at column 4")],
)
def test_a_wrong_test_says_where(text: str, message: str) -> None:
    with pytest.raises(QueryError, match=message):
        parse(text)
