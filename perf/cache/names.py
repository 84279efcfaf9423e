"""How a cache names things to its tiers and to other caches: full keys, tags, groups of keys and patterns."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable
from functools import lru_cache
from re import Pattern

from perf.errors import CacheError

GROUP = "~"
_WILD = re.compile(r"[*?\[]")


class Names:
    """Names of one namespace and version. Keys belong to a version, tags to the namespace: old and new share their truth."""

    def __init__(self, namespace: str, version: str) -> None:
        for what, name in (("namespace", namespace), ("version", version)):
            if not name or ":" in name or _WILD.search(name):
                raise CacheError(f"a {what} is a word without ':' and '*', not {name!r}")
        self.namespace = namespace
        self.prefix = f"{namespace}:{version}:"

    def key(self, key: str) -> str:
        """The full name of *key*; one that is full already stays as it is. Raises: CacheError when it isn't text."""
        if not isinstance(key, str) or not key:
            raise CacheError(f"a key is a text, not {key!r}")
        return key if key.startswith(self.prefix) else self.prefix + key

    def tag(self, tag: str) -> str:
        """The full name of *tag*."""
        return f"{self.namespace}:{tag}"

    def tags(self, tags: tuple[str, ...]) -> tuple[str, ...]:
        """The full names of *tags*."""
        return tuple(self.tag(tag) for tag in tags) if tags else ()

    def group(self, key: str) -> str | None:
        """The tag under which outer tiers know all keys that begin as the full *key* does, up to its first colon."""
        head, colon, _ = key[len(self.prefix) :].partition(":")
        return f"{self.namespace}:{GROUP}{head}" if colon else None

    def spoken(self, names: Iterable[str]) -> list[str]:
        """*names* as other caches are told them: they know the keys of a group by a pattern."""
        head = f"t:{self.namespace}:{GROUP}"
        return [f"p:{self.prefix}{name[len(head) :]}:*" if name.startswith(head) else name for name in names]

    def group_of(self, pattern: str) -> str | None:
        """The group that holds every key that *pattern* matches; None when there is no such."""
        found = _WILD.search(pattern)
        return self.group(pattern[: found.start()] if found else pattern)


def wild(pattern: str) -> bool:
    """Whether *pattern* is more than the name of one key."""
    return _WILD.search(pattern) is not None


@lru_cache(256)
def compiled(pattern: str) -> Pattern[str]:
    """*pattern* as shells have it: ``*``, ``?``, ``[seq]``; upper and lower case differ."""
    return re.compile(fnmatch.translate(pattern))
