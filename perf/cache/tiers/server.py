"""One Redis server: commands, and the ``.lua`` files called by their hash."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cache
from importlib.resources import files

from perf.cache.tiers.wire import Command, Links, Refusal, Reply, packed
from perf.errors import TierError


class Script:
    """``lua/<name>.lua``."""

    def __init__(self, name: str) -> None:
        self._text = files("perf.cache.tiers").joinpath("lua", f"{name}.lua").read_bytes()
        # Redis names a script by its SHA-1.
        self._digest = hashlib.sha1(self._text, usedforsecurity=False).hexdigest().encode()

    def call(self, keys: Sequence[bytes], arguments: Command, *, known: bool) -> Command:
        """The command; with the text itself unless the server *known*s it."""
        how = (b"EVALSHA", self._digest) if known else (b"EVAL", self._text)
        return (*how, b"%d" % len(keys), *keys, *arguments)


script = cache(Script)


class Server:
    """The server at *url*; *timeout* (seconds) is for one call, connecting included. Raises: TierError, when any reply is an error."""

    def __init__(self, url: str, timeout: float) -> None:
        self.links = Links(url, timeout)

    def ask(self, *commands: Command) -> list[Reply]:
        """Their replies, in one round trip."""
        replies = self.links.ask(packed(*commands), len(commands))
        for reply in replies:
            if isinstance(reply, Refusal):
                error = reply.error()
                if error.kind == "readonly":
                    self.links.drop()  # It may have been the primary, and its name may lead to another by now.
                raise error
        return replies

    def run(
        self, what: Script, keys: Sequence[bytes], *arguments: bytes | memoryview, after: Command = ()
    ) -> list[Reply]:
        """The reply of *what*, and that of the command *after* it."""
        following = (after,) if after else ()
        try:
            return self.ask(what.call(keys, arguments, known=True), *following)
        except TierError as error:
            if error.kind != "noscript":
                raise
        return self.ask(what.call(keys, arguments, known=False), *following)

    def close(self) -> None:
        """Hang up; the next call connects anew."""
        self.links.drop()
