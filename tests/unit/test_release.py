"""What is deployed, against repositories that git itself made."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from perf.release import SHOWN, deployed


def git(folder: Path, *words: str) -> str:
    told = ["git", "-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "init.defaultBranch=main", *words]
    return subprocess.run(told, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    git(folder, "init", "--quiet")
    git(folder, "commit", "--allow-empty", "--quiet", "-m", "first")
    return folder


def head(folder: Path) -> str:
    return git(folder, "rev-parse", "HEAD")[:SHOWN]


def test_a_name_that_is_set_wins(repository: Path) -> None:
    assert deployed("2.0", repository) == "2.0"


def test_a_branch_in_a_file_or_packed_and_a_commit_by_itself(repository: Path) -> None:
    inside = repository / "src" / "shop"
    inside.mkdir(parents=True)
    assert deployed(folder=inside) == head(repository) != ""
    git(repository, "pack-refs", "--all")
    assert not (repository / ".git" / "refs" / "heads" / "main").exists()
    assert deployed(folder=repository) == head(repository)
    git(repository, "commit", "--allow-empty", "--quiet", "-m", "second")
    git(repository, "checkout", "--quiet", "--detach")
    assert deployed(folder=repository) == head(repository)


def test_a_worktree(repository: Path) -> None:
    git(repository, "worktree", "add", "--quiet", "-b", "feature/x", "../tree")
    tree = repository.parent / "tree"
    git(tree, "commit", "--allow-empty", "--quiet", "-m", "there")
    assert deployed(folder=tree) == head(tree) != head(repository)
    git(repository, "pack-refs", "--all")
    assert deployed(folder=tree) == head(tree)


@pytest.mark.parametrize("text", ["", "ref: refs/heads/none", "gitdir: /nowhere", "ref: ../../../x", "\0"])
def test_what_is_no_repository_says_nothing(tmp_path: Path, text: str) -> None:
    assert deployed(folder=tmp_path) == ""
    (tmp_path / ".git").mkdir()
    assert deployed(folder=tmp_path) == ""
    (tmp_path / ".git" / "HEAD").write_text(text, encoding="utf-8")
    assert deployed(folder=tmp_path) == ""


def test_before_the_first_commit_nothing_is_deployed(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    assert deployed(folder=tmp_path) == ""
