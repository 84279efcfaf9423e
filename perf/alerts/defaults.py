"""The rules that are there before anybody writes one: few, slow to speak, and each switched off where it is shown."""

from __future__ import annotations

from collections.abc import Iterable

from perf.model import AlertRule, RuleKind, Severity

_NEXT = "Switch this rule off on the Alerts page if it tells you nothing."

DEFAULTS: tuple[AlertRule, ...] = (
    AlertRule(
        id="default-cpu",
        name="CPU above 80 %",
        condition="name == 'cpu_usage_percent' and value > 80",
        metric="cpu_usage_percent",
        aggregate="avg",
        window=60.0,
        for_seconds=300.0,
        clear=75.0,
        severity=Severity.HIGH,
        message="CPU at {value:.0f} %, above 80 % for five minutes. Functions & endpoints shows what takes the time. "
        + _NEXT,
    ),
    AlertRule(
        id="default-memory",
        name="Memory above 90 %",
        condition="name == 'memory_usage_percent' and value > 90",
        metric="memory_usage_percent",
        aggregate="avg",
        window=60.0,
        for_seconds=120.0,
        clear=87.0,
        severity=Severity.CRITICAL,
        message="Memory at {value:.0f} %, above 90 % for two minutes. Restart or stop what grew before the system does. "
        + _NEXT,
    ),
    AlertRule(
        id="default-query",
        name="Database query above 5 s",
        condition="name == 'db_client_operation_duration_seconds' and value > 5",
        metric="db_client_operation_duration_seconds",
        by=("db_query_summary",),
        aggregate="p95",
        window=300.0,
        for_seconds=60.0,
        severity=Severity.HIGH,
        message="{labels.db_query_summary} takes {value:.1f} s (p95 of five minutes). Look at its plan; it may miss an index. "
        + _NEXT,
    ),
    AlertRule(
        id="default-health",
        name="Health check fails",
        kind=RuleKind.HEALTH_CHECK,
        for_seconds=60.0,
        severity=Severity.HIGH,
        message="The check {labels.probe} has failed for a minute. The Health page says what it found. " + _NEXT,
    ),
    AlertRule(
        id="default-page",
        name="Page load above 10 s",
        condition="name == 'page_load_seconds' and value > 10",
        metric="page_load_seconds",
        by=("page",),
        aggregate="p95",
        window=300.0,
        for_seconds=60.0,
        severity=Severity.MEDIUM,
        message="{labels.page} takes {value:.1f} s to load (p95 of five minutes). Functions & endpoints shows what it waits for. "
        + _NEXT,
    ),
    AlertRule(
        id="default-own-limits",
        name="perf takes more than it may",
        condition="name == 'perf_limit_ratio' and value > 1",
        metric="perf_limit_ratio",
        by=("resource",),
        aggregate="avg",
        window=30.0,
        for_seconds=60.0,
        clear=0.9,
        severity=Severity.HIGH,
        message="perf takes {value:.2f} times the {labels.resource} that production.max_* allows it, and refuses expensive requests. "
        "Give it more, or record less. " + _NEXT,
    ),
    AlertRule(
        id="default-corrupt",
        name="A corrupt store was set aside",
        condition="name == 'perf_store_set_aside_files' and value > 0",
        metric="perf_store_set_aside_files",
        for_seconds=60.0,
        severity=Severity.CRITICAL,
        message="The store was corrupt and a new one was begun: what was recorded before is missing. It lies beside the new one, with "
        ".corrupt- in its name: restore a backup or mend it, then move it elsewhere. " + _NEXT,
    ),
)

_BY_ID = {rule.id: rule for rule in DEFAULTS}


def in_force(stored: Iterable[AlertRule]) -> list[AlertRule]:
    """Every rule, by name: the *stored* ones, and the defaults that nobody changed."""
    rules = {**_BY_ID, **{rule.id: rule for rule in stored}}
    return sorted(rules.values(), key=lambda rule: rule.name)


def is_default(rule_id: str) -> bool:
    """Whether the rule comes back as it was when its stored form is dropped."""
    return rule_id in _BY_ID
