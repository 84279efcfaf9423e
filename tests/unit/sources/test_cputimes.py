from hypothesis import given
from hypothesis import strategies as st

from perf.sources.cputimes import percent, quota_usage, shares

LINUX = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal", "guest", "guest_nice")
MAC = ("user", "nice", "system", "idle")


def row(**times: float) -> tuple[float, ...]:
    return tuple(times.get(name, 0.0) for name in LINUX)


def test_shares_of_two_cores() -> None:
    before = [row(user=10, idle=100), row(user=20, idle=200)]
    after = [row(user=11, system=1, idle=102), row(user=20, idle=203, iowait=1)]
    spent = shares(LINUX, before, after)
    assert spent.cores == {0: 50.0, 1: 0.0}
    assert spent.usage == 25.0
    assert (spent.modes["user"], spent.modes["system"], spent.modes["iowait"]) == (12.5, 12.5, 12.5)
    assert "idle" not in spent.modes


def test_guest_time_is_not_counted_twice() -> None:
    spent = shares(LINUX, [row()], [row(user=2, guest=2, idle=2)])
    assert (spent.usage, "guest" in spent.modes) == (50.0, False)


def test_idle_that_steps_back_counts_as_none() -> None:
    assert shares(LINUX, [row(user=1, idle=10)], [row(user=2, idle=9.99)]).usage == 100.0


def test_system_without_iowait_has_no_iowait() -> None:
    spent = shares(MAC, [(0.0, 0.0, 0.0, 0.0)], [(1.0, 0.0, 1.0, 2.0)])
    assert (spent.usage, spent.modes) == (50.0, {"user": 25.0, "nice": 0.0, "system": 25.0})


def test_core_that_was_offline_is_absent() -> None:
    spent = shares(LINUX, [row(), row(user=5)], [row(user=1, idle=1), row(user=5)])
    assert (spent.cores, spent.usage) == ({0: 50.0}, 50.0)


def test_first_reading_has_no_shares() -> None:
    spent = shares(LINUX, [], [row(user=1)])
    assert (spent.cores, spent.modes, spent.usage) == ({}, {}, None)


def test_same_reading_twice_has_no_shares() -> None:
    assert shares(LINUX, [row(user=1)], [row(user=1)]).usage is None


def test_change_of_the_number_of_cores_starts_over() -> None:
    assert shares(LINUX, [row(user=1)], [row(user=2), row(user=2)]).usage is None


@given(st.lists(st.tuples(*[st.tuples(st.floats(0, 1e9), st.floats(-10, 1e6))] * len(LINUX)), min_size=1, max_size=4))
def test_shares_stay_between_0_and_100(cores: list[tuple[tuple[float, float], ...]]) -> None:
    before = [tuple(start for start, _ in core) for core in cores]
    after = [tuple(start + step for start, step in core) for core in cores]
    spent = shares(LINUX, before, after)
    assert all(0.0 <= share <= 100.0 for share in (*spent.cores.values(), *spent.modes.values(), spent.usage or 0.0))


def test_quota_usage_is_of_the_quota() -> None:
    assert quota_usage(seconds=0.75, elapsed=2.0, cores=0.5) == 75.0


def test_burst_above_the_quota_is_full_use() -> None:
    assert quota_usage(seconds=3.0, elapsed=1.0, cores=2.0) == 100.0


def test_quota_usage_needs_a_span() -> None:
    assert quota_usage(seconds=0.0, elapsed=0.0, cores=2.0) is None


def test_percent_has_two_decimals() -> None:
    assert percent(1, 3) == 33.33
