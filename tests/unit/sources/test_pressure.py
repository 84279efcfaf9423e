from pathlib import Path

import pytest

from perf.clock import ManualClock
from perf.settings import HostSettings
from perf.sources.cgroup import Cgroup
from perf.sources.pressure import STALL, PressureSource, stalls

CPU = "some avg10=1.79 avg60=0.74 avg300=0.30 total=9995470\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n"
MEMORY = "some avg10=0.00 avg60=0.00 avg300=0.00 total=2000000\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=1500000\n"
OLD_CPU = "some avg10=0.00 avg60=0.00 avg300=0.00 total=42\n"


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    folder = tmp_path / "proc"
    (folder / "self").mkdir(parents=True)
    (folder / "self" / "cgroup").write_text("0::/\n")
    return folder


def collected(proc: Path, ts: float = 10.0) -> dict[tuple[str, str], float]:
    cgroup = Cgroup(proc, proc.parent / "cgroup")
    samples = list(PressureSource(HostSettings(), ManualClock(), cgroup=cgroup, proc=proc).collect(ts))
    assert all(sample.metric is STALL and sample.ts == ts for sample in samples)
    return {(dict(sample.labels)["resource"], dict(sample.labels)["kind"]): sample.value for sample in samples}


def test_kernel_without_pressure_yields_nothing(proc: Path) -> None:
    assert collected(proc) == {}


def test_pressure_of_the_host_is_in_seconds_without_full_of_cpu(proc: Path) -> None:
    (proc / "pressure").mkdir()
    (proc / "pressure" / "cpu").write_text(CPU)
    (proc / "pressure" / "memory").write_text(MEMORY)
    assert collected(proc) == {("cpu", "some"): 9.99547, ("memory", "some"): 2.0, ("memory", "full"): 1.5}


def test_pressure_of_the_container_comes_first(proc: Path) -> None:
    (proc / "pressure").mkdir()
    (proc / "pressure" / "cpu").write_text(OLD_CPU)
    root = proc.parent / "cgroup"
    root.mkdir()
    for name, text in {
        "cgroup.controllers": "cpu memory\n",
        "cgroup.type": "domain\n",
        "cpu.pressure": CPU,
        "memory.pressure": MEMORY,
    }.items():
        (root / name).write_text(text)
    assert collected(proc) == {
        ("cpu", "some"): 9.99547,
        ("cpu", "full"): 0.0,
        ("memory", "some"): 2.0,
        ("memory", "full"): 1.5,
    }


@pytest.mark.parametrize("text", ["", "some", "some total=", "some avg10=0.00", "half total=3", "some total=x"])
def test_text_that_is_no_pressure_has_no_stalls(text: str) -> None:
    assert stalls(text) == {}
