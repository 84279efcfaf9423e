"""``perf alerts`` and ``perf rules`` against a running owner."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.test_cli import Place
from tests.nursery import nursery
from tests.services import eventually

DEEP = "rules:\n- name: memory in use\n  condition: name == 'memory_usage_percent' and value > 0.1\n"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with nursery("perf.cli") as commands:
        found = Place(tmp_path_factory.mktemp("cli"), commands)
        with found.serving():
            yield found


def test_rules_live_in_a_file(place: Place, tmp_path: Path) -> None:
    assert place.perf("alerts").stdout == "nothing fires\n"
    listed = place.perf("rules", "list").stdout
    assert "Memory above 90 %" in listed
    file = tmp_path / "rules.yaml"
    file.write_text(place.perf("rules", "export").stdout)
    same = place.perf("rules", "diff", str(file))
    assert (same.returncode, same.stdout) == (0, "the same\n")
    file.write_text(DEEP)
    assert place.perf("rules", "validate", str(file)).stdout == "1 rule, nothing wrong\n"
    differing = place.perf("rules", "diff", str(file))
    assert (differing.returncode, differing.stdout) == (1, "add memory in use\n")
    assert "memory in use" in place.perf("rules", "preview", str(file)).stdout
    assert place.perf("rules", "import", "-", given=DEEP).returncode == 0
    fires = eventually(
        lambda: "memory in use" in (found := place.perf("alerts")).stdout and found, seconds=60.0, every=0.5
    )
    assert fires.returncode == 1


def test_a_broken_file_is_refused_with_its_place(place: Place, tmp_path: Path) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text("rules:\n- name: a\n  conditon: value > 1\n")
    for action in ("validate", "import", "diff", "preview"):
        found = place.perf("rules", action, str(file))
        assert (found.returncode, "did you mean 'condition'?" in found.stderr) == (2, True), found.stderr
    assert place.perf("rules", "validate", str(tmp_path / "none.yaml")).returncode == 2
