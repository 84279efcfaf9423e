"""Rules as YAML: what is written can be read, what is wrong is said with its place, and files are compared."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perf.alerts import files
from perf.alerts.defaults import DEFAULTS, in_force
from perf.alerts.files import RulesError
from perf.model import AlertRule, Severity
from perf.views import rules

HIGH = AlertRule(
    id="a", name="high", condition="name == 'x' and value > 1", for_seconds=90.0, labels=(("host", "db1"),)
)


def test_a_rule_is_written_with_what_differs_from_the_defaults_only() -> None:
    assert files.text([HIGH]) == (
        "rules:\n- name: high\n  condition: name == 'x' and value > 1\n  labels:\n    host: db1\n  for: 90s\n"
    )


@settings(max_examples=60, deadline=None)
@given(
    st.builds(
        AlertRule,
        id=st.just("x"),
        name=st.text(min_size=1).filter(lambda name: bool(name.strip())),
        condition=st.text(),
        message=st.text(),
        by=st.lists(st.text()).map(tuple),
        window=st.floats(0.001, 1e6),
        for_seconds=st.integers(0, 10**6).map(float),
        clear=st.none() | st.floats(-1e6, 1e6),
        severity=st.sampled_from(Severity),
        enabled=st.booleans(),
    )
)
def test_what_is_written_is_read_back(rule: AlertRule) -> None:
    read = files.identified(files.read(files.text([rule])), [rule])
    assert [msgspec.structs.replace(one, window=rule.window) for one in read] == [rule]
    assert read[0].window == pytest.approx(rule.window, rel=1e-5)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("rules:\n- name: a\n  severty: low", "rule 1 (a): unknown key 'severty'; did you mean 'severity'?"),
        ("rules:\n- condition: value > 1", "rule 1: has no name"),
        ("rules:\n- name: a\n  window: 5 parsecs", "rule 1 (a): window: not a number of seconds"),
        ("rules:\n- name: a\n- name: a", "the name 'a' is there more than once"),
        ("rules:\n- name: a\n  name: b", "key 'name' comes twice, line 3, column 3"),
        ("rules: [&one {name: a}, *one]", "references (*name) are not taken"),
        ("rules: [{[a]: b}]", "a key is a word"),
        ("rules:\n- name: 2026-13-45 10:00:00", "not YAML for rules"),
        ("rules: [", "not YAML"),
        ("rules: " + "[" * 5_000, "not YAML"),
        ("- name: a", "a file of rules begins with 'rules:'"),
        ("rules: []\nrule: []", "unknown key 'rule' beside 'rules'"),
        ("rules: [!!python/object/apply:os.getcwd []]", "not YAML"),
        ("x" * 1_000_001, "at most 1,000,000 characters"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(source: str, said: str) -> None:
    with pytest.raises(RulesError) as caught:
        files.read(source)
    assert said in str(caught.value)


def test_everything_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(RulesError) as caught:
        rules.checked(
            "rules:\n- name: a\n  condition: value >\n- name: b\n  message: '{secret}'\n  condition: name == 'x' and value > 1"
        )
    assert len(caught.value.problems) == 2


def test_a_difference_names_each_field() -> None:
    changed = msgspec.structs.replace(HIGH, for_seconds=300.0, severity=Severity.LOW)
    other = AlertRule(id="b", name="new")
    found = files.difference([HIGH, AlertRule(id="c", name="old")], [changed, other])
    assert [(one.verb, one.name, one.lines) for one in found] == [
        ("change", "high", ("for: 90s -> 5m", "severity: default -> low")),
        ("add", "new", ()),
        ("drop", "old", ()),
    ]


def test_every_default_can_work_is_slow_to_speak_and_says_what_to_do() -> None:
    for rule in DEFAULTS:
        rules.check(rule)
        assert 60.0 <= rule.for_seconds <= 300.0
        assert rule.message.count(".") >= 2
    assert len(DEFAULTS) == 7


def test_a_stored_rule_stands_for_the_default_of_its_id() -> None:
    off = msgspec.structs.replace(DEFAULTS[0], enabled=False)
    assert [rule for rule in in_force([off]) if rule.id == off.id] == [off]
    assert len(in_force([off, HIGH])) == len(DEFAULTS) + 1
