"""Evaluates a rule that breaches until it is killed: arguments are the store, and before which statement of the transaction that stores
the outcome (0 is the first, -1 none). Says how many statements that has.
"""

from __future__ import annotations

import sys

from perf.alerts.evaluator import Evaluator
from perf.alertsettings import AlertSettings
from perf.clock import ManualClock
from perf.model import AlertRule, Metric, Sample, Severity, Step
from perf.settings import StoreSettings
from perf.store.duckdb import DuckDBStore
from perf.store.duckdb import alerts as statements
from tests.integration.alert_child import die

T0 = 1_700_006_400.0
RULE = AlertRule(
    id="r", name="deep", condition="name == 'queue_depth' and value > 5", severity=Severity.CRITICAL, channels=("log",)
)


def main() -> None:
    """One evaluation of what is there."""
    path, last = sys.argv[1], int(sys.argv[2])
    clock = ManualClock(T0 + 1.0)
    store = DuckDBStore(StoreSettings(path=path, free_space_floor=0), clock)
    if not store.alerts.rules():
        store.alerts.put_rule(RULE, "test")
        store.append([Sample(T0, Metric("queue_depth"), (("queue", "mail"),), 9.0)])
    run, passed = statements._run, 0

    def mortal(*given: object) -> list[tuple[object, ...]]:
        nonlocal passed
        if passed == last:
            die()
        passed += 1
        return run(*given)  # type: ignore[arg-type]  # what it was given

    def commit(step: Step) -> None:
        statements._run = mortal  # type: ignore[assignment]  # where a power cut may come
        store.alerts.commit(step)
        statements._run = run

    Evaluator(store, commit, AlertSettings(), clock).turn()
    if passed == last:
        die()
    store.close()
    sys.stdout.write(f"{passed}\n")


if __name__ == "__main__":
    main()
