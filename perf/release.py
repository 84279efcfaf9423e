"""What is deployed: a name that is set, else the git commit that the program runs from. Reads files, starts no git."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

SHOWN = 12
"""Characters of a commit: enough to be the only one, few enough to read."""

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


def deployed(named: str = "", folder: Path | None = None) -> str:
    """*named*, else the commit of the repository around *folder* (the current one by default); empty when there is none."""
    if named:
        return named
    # A folder that can't be read has nothing to say, and isn't worth a program's start.
    with suppress(OSError, ValueError):
        start = (folder or Path()).resolve()
        for above in (start, *start.parents):
            if (above / ".git").exists():
                return _commit(above / ".git")[:SHOWN]
    return ""


def _commit(git: Path) -> str:
    """The commit of ``HEAD``; *git* is a folder, or a file that names it (a worktree, a submodule)."""
    if git.is_file():
        git = (git.parent / _text(git).removeprefix("gitdir:").strip()).resolve()
    head = _text(git / "HEAD")
    if _COMMIT.fullmatch(head):
        return head
    name = head.removeprefix("ref:").strip()
    shared = git / _text(git / "commondir") if (git / "commondir").exists() else git
    for root in (git, shared):
        if (root / name).is_file():
            found = _text(root / name)
            return found if _COMMIT.fullmatch(found) else ""
    packed = _text(shared / "packed-refs") if (shared / "packed-refs").exists() else ""
    lines = (line.split(" ") for line in packed.splitlines())
    return next((words[0] for words in lines if words[1:] == [name] and _COMMIT.fullmatch(words[0])), "")


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8").strip()
