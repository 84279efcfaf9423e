from pathlib import Path

import pytest

from perf.sources.cgroup import Cgroup, CpuLimit, MemoryLimit, contents

MIB = 2**20

V2_STAT = """anon 41943040
file 20971520
kernel 3145728
inactive_anon 0
active_anon 41943040
inactive_file 10485760
active_file 10485760
"""
V2_CPU_STAT = """usage_usec 2500000
user_usec 2000000
system_usec 500000
nr_periods 12
nr_throttled 3
throttled_usec 1200
"""
V1_STAT = """cache 20971520
rss 41943040
inactive_file 1
hierarchical_memory_limit 134217728
total_cache 20971520
total_inactive_file 10485760
"""
V1_UNLIMITED = "9223372036854771712\n"


class Tree:
    """A fake /proc and /sys/fs/cgroup with files like a kernel's."""

    def __init__(self, folder: Path) -> None:
        self.proc = folder / "proc"
        self.root = folder / "cgroup"
        (self.proc / "self").mkdir(parents=True)
        self.root.mkdir()

    def members(self, text: str) -> None:
        (self.proc / "self" / "cgroup").write_text(text)

    def group(self, path: str, **files: str) -> None:
        """Write files of a group; ``__`` in a name stands for the dot."""
        folder = self.root / path
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (folder / name.replace("__", ".")).write_text(text)

    def read(self) -> Cgroup:
        return Cgroup(self.proc, self.root)


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


def v2_group(tree: Tree, path: str, *, memory: str = "max\n", cpu: str = "max 100000\n") -> None:
    tree.group(
        path,
        cgroup__type="domain\n",
        memory__max=memory,
        memory__current=f"{60 * MIB}\n",
        memory__stat=V2_STAT,
        cpu__max=cpu,
        cpu__stat=V2_CPU_STAT,
    )


def test_v2_memory_leaves_out_the_file_cache_that_can_be_dropped(tree: Tree) -> None:
    tree.members("0::/\n")
    tree.group("", cgroup__controllers="cpu memory\n")
    v2_group(tree, "", memory=f"{128 * MIB}\n")
    assert tree.read().memory() == MemoryLimit(128 * MIB, 50 * MIB)


def test_v2_max_means_no_limit(tree: Tree) -> None:
    tree.members("0::/\n")
    tree.group("", cgroup__controllers="cpu memory\n")
    v2_group(tree, "")
    assert (tree.read().memory(), tree.read().cpu()) == (None, None)


def test_v2_quota_is_in_cores_and_usage_in_seconds(tree: Tree) -> None:
    tree.members("0::/\n")
    tree.group("", cgroup__controllers="cpu memory\n")
    v2_group(tree, "", cpu="150000 100000\n")
    assert tree.read().cpu() == CpuLimit(1.5, str(tree.root), 2.5)


def test_smallest_limit_on_the_way_up_counts_with_the_usage_of_its_group(tree: Tree) -> None:
    tree.members("0::/system.slice/app.service\n")
    tree.group("", cgroup__controllers="cpu memory\n")
    v2_group(tree, "system.slice", memory=f"{96 * MIB}\n", cpu="50000 100000\n")
    v2_group(tree, "system.slice/app.service", memory=f"{128 * MIB}\n", cpu="200000 100000\n")
    tree.group("system.slice", memory__current=f"{90 * MIB}\n")
    assert tree.read().memory() == MemoryLimit(96 * MIB, 80 * MIB)
    assert tree.read().cpu() == CpuLimit(0.5, str(tree.root / "system.slice"), 2.5)


def test_limit_that_changes_is_read_anew(tree: Tree) -> None:
    tree.members("0::/\n")
    tree.group("", cgroup__controllers="cpu memory\n")
    v2_group(tree, "", memory=f"{128 * MIB}\n")
    cgroup = tree.read()
    cgroup.memory()
    tree.group("", memory__max=f"{256 * MIB}\n")
    assert cgroup.memory() == MemoryLimit(256 * MIB, 50 * MIB)


def v1_groups(tree: Tree, path: str, *, limit: str, quota: str) -> None:
    tree.group(
        f"memory/{path}",
        memory__limit_in_bytes=limit,
        memory__usage_in_bytes=f"{60 * MIB}\n",
        memory__stat=V1_STAT,
    )
    tree.group(
        f"cpu,cpuacct/{path}",
        cpu__cfs_quota_us=quota,
        cpu__cfs_period_us="100000\n",
        cpuacct__usage="2500000000\n",
    )


V1_MEMBERS = "5:memory:/docker/abc\n4:cpu,cpuacct:/docker/abc\n1:name=systemd:/docker/abc\n0::/\n"


def test_v1_reads_limit_quota_and_usage(tree: Tree) -> None:
    tree.members(V1_MEMBERS)
    v1_groups(tree, "docker/abc", limit=f"{128 * MIB}\n", quota="150000\n")
    assert tree.read().memory() == MemoryLimit(128 * MIB, 50 * MIB)
    assert tree.read().cpu() == CpuLimit(1.5, str(tree.root / "cpu,cpuacct/docker/abc"), 2.5)


def test_v1_absurd_number_and_minus_one_mean_no_limit(tree: Tree) -> None:
    tree.members(V1_MEMBERS)
    v1_groups(tree, "docker/abc", limit=V1_UNLIMITED, quota="-1\n")
    assert (tree.read().memory(), tree.read().cpu()) == (None, None)


def test_container_without_a_namespace_finds_its_group_at_the_mount(tree: Tree) -> None:
    tree.members("5:memory:/kubepods/pod1/abc\n4:cpu,cpuacct:/kubepods/pod1/abc\n")
    v1_groups(tree, "", limit=f"{128 * MIB}\n", quota="50000\n")
    assert tree.read().memory() == MemoryLimit(128 * MIB, 50 * MIB)
    assert tree.read().cpu() == CpuLimit(0.5, str(tree.root / "cpu,cpuacct"), 2.5)


def test_group_below_the_mount_is_found_by_the_tail_of_its_path(tree: Tree) -> None:
    tree.members("5:memory:/docker/abc/worker\n")
    v1_groups(tree, "", limit=V1_UNLIMITED, quota="-1\n")
    v1_groups(tree, "worker", limit=f"{64 * MIB}\n", quota="-1\n")
    assert tree.read().memory() == MemoryLimit(64 * MIB, 50 * MIB)


def test_hybrid_host_takes_memory_from_v1(tree: Tree) -> None:
    tree.members(V1_MEMBERS)
    tree.group("unified", cgroup__controllers="\n")
    v1_groups(tree, "docker/abc", limit=f"{128 * MIB}\n", quota="-1\n")
    assert tree.read().memory() == MemoryLimit(128 * MIB, 50 * MIB)


@pytest.mark.parametrize("text", ["", "nonsense", "0:", "5:memory:/x\n0::/../y\n", "\x00\xff"])
def test_without_groups_nothing_limits(tree: Tree, text: str) -> None:
    tree.members(text)
    cgroup = tree.read()
    assert (cgroup.memory(), cgroup.cpu(), cgroup.pressure_folder()) == (None, None, None)


def test_system_without_proc_has_no_limits(tmp_path: Path) -> None:
    cgroup = Cgroup(tmp_path / "proc", tmp_path / "cgroup")
    assert (cgroup.memory(), cgroup.cpu(), cgroup.pressure_folder()) == (None, None, None)


@pytest.mark.parametrize("text", ["", "max", "50000", "50000 0", "-1 100000", "x y"])
def test_quota_that_is_no_quota_is_none(tree: Tree, text: str) -> None:
    tree.members("0::/\n")
    tree.group("", cgroup__controllers="cpu memory\n")
    v2_group(tree, "", cpu=text)
    assert tree.read().cpu() is None


def test_pressure_of_a_container_stands_at_its_root(tree: Tree) -> None:
    tree.members("0::/\n")
    tree.group("", cgroup__controllers="cpu memory\n", cgroup__type="domain\n", memory__pressure="")
    assert tree.read().pressure_folder() == str(tree.root)


def test_true_root_of_a_host_is_no_container(tree: Tree) -> None:
    tree.members("0::/user.slice\n")
    tree.group("", cgroup__controllers="cpu memory\n", memory__pressure="")
    tree.group("user.slice", cgroup__type="domain\n", memory__pressure="")
    assert tree.read().pressure_folder() is None


def test_pressure_of_a_limited_service_is_that_of_the_limited_group(tree: Tree) -> None:
    tree.members("0::/app.service\n")
    tree.group("", cgroup__controllers="cpu memory\n", memory__pressure="")
    v2_group(tree, "app.service", memory=f"{128 * MIB}\n")
    tree.group("app.service", memory__pressure="")
    assert tree.read().pressure_folder() == str(tree.root / "app.service")


def test_contents_of_a_missing_file_is_none(tmp_path: Path) -> None:
    assert contents(str(tmp_path / "none")) is None


def test_contents_of_a_folder_is_none(tmp_path: Path) -> None:
    assert contents(str(tmp_path)) is None
