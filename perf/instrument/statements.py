"""What an SQL text does, in few words: `SELECT orders`. For labels, so it never holds a literal value; no parser, no check."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

import msgspec

MAX_TEXT = 2_000
"""Characters of a text that are read: what it does stands at its beginning, and long ones are mostly values."""
MAX_NAME = 60
MAX_TABLES = 4
MAX_STATEMENTS = 3
MAX_SUMMARY = 180
KEPT = 2_000
"""Texts whose summary is remembered."""
OTHER = "OTHER"

_TOKEN = re.compile(
    r"""
      (?P<blank>\s+|--[^\n]*|/\*.*?(?:\*/|\Z))
    | (?P<value>
          [eE]'(?:[^'\\]|\\.|'')*(?:'|\Z)                                  # PostgreSQL's escapes
        | (?:[bBxXnN]|[uU]&)?'(?:[^']|'')*(?:'|\Z)
        | (?P<dollar>\$(?:[^\W\d]\w*)?\$).*?(?:(?P=dollar)|\Z)             # PostgreSQL's and DuckDB's $tag$ text $tag$
        | \.?\d[\w.]*                                                      # a number, and what it runs into
        | ::|[:@$\#][\w$]+|%\(\w*\)\w|%\w                                  # a parameter
      )
    | (?P<quoted>"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[^\W\d][\w ]*\])
    | (?P<word>[^\W\d][\w$]*)
    | (?P<operator>[=<>+*!|&~^]+)
    | (?P<mark>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_INTRICATE = re.compile(r"""["`\\$#\[]|--|/\*|(?<![\w'])[ebnxEBNX]'|&'""")
"""Where a quotation mark may mean something else than the beginning or end of a text."""
_VALUE = re.compile(r"'[^']*'|\b\d+(?:\.\d+)?\b")
_VALUES = re.compile(r"\s*(?:INSERT|REPLACE)\b.*?\bVALUES\s*\(", re.IGNORECASE | re.DOTALL)
"""Only values follow, often thousands."""
_OPERATIONS = frozenset({
    "ABORT", "ALTER", "ANALYZE", "ATTACH", "BEGIN", "CALL", "CHECKPOINT", "CLOSE", "CLUSTER", "COMMENT", "COMMIT",
    "COPY", "CREATE", "DEALLOCATE", "DECLARE", "DELETE", "DESCRIBE", "DETACH", "DISCARD", "DO", "DROP", "END",
    "EXEC", "EXECUTE", "EXPLAIN", "EXPORT", "FETCH", "FROM", "GRANT", "IMPORT", "INSERT", "INSTALL", "KILL",
    "LISTEN", "LOAD", "LOCK", "MERGE", "MOVE", "NOTIFY", "OPTIMIZE", "PIVOT", "PRAGMA", "PREPARE", "REFRESH",
    "REINDEX", "RELEASE", "REPLACE", "RESET", "REVOKE", "ROLLBACK", "SAVEPOINT", "SELECT", "SET", "SHOW", "START",
    "SUMMARIZE", "TABLE", "TRUNCATE", "UNLISTEN", "UNPIVOT", "UPDATE", "USE", "VACUUM", "VALUES", "WITH",
})  # fmt: skip
_QUERIES = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "REPLACE", "VALUES", "TABLE", "FROM"})
"""What a list of common table expressions leads to."""
_DIRECT = frozenset({"UPDATE", "TRUNCATE", "COPY", "VACUUM", "ANALYZE", "CALL", "PRAGMA", "LOCK", "REINDEX", "CLUSTER",
                     "TABLE", "PIVOT", "UNPIVOT", "SUMMARIZE", "DESCRIBE"})  # fmt: skip
"""Statements whose first name is what they are about."""
_OBJECTS = frozenset({"TABLE", "VIEW", "INDEX", "SCHEMA", "DATABASE", "SEQUENCE", "TYPE", "TRIGGER", "FUNCTION", "PROCEDURE",
                      "MACRO", "EXTENSION", "ROLE", "USER"})  # fmt: skip
_DEFINING = frozenset({"CREATE", "ALTER", "DROP", "TRUNCATE", "COMMENT", "REFRESH", "REINDEX", "LOCK"})
_FILLERS = frozenset({"ONLY", "LATERAL", "IF", "NOT", "EXISTS", "TABLE", "CONCURRENTLY", "VERBOSE", "FULL", "ANALYZE",
                      "MATERIALIZED", "INDEX"})  # fmt: skip
"""Between the word that announces a name and the name."""
_NAMELESS = frozenset({"SELECT", "VALUES", "WITH", "SET", "STDIN", "STDOUT", "ON", "WHERE", "AS", "NULL", "DEFAULT", "OF",
                       "NOWAIT", "SKIP"})  # fmt: skip
_CLAUSES = frozenset({"WHERE", "ON", "GROUP", "ORDER", "HAVING", "LIMIT", "SET", "SELECT", "RETURNING", "WINDOW", "UNION",
                      "EXCEPT", "INTERSECT", "VALUES", "OFFSET", "FETCH", "FOR"})  # fmt: skip
"""After these a comma doesn't lead to another table."""


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """What a text does: its first operation, the first table that it names, and all of it in few words."""

    operation: str
    collection: str
    summary: str


def statement(text: str) -> Statement:
    """The operation, first table and summary of *text*; `OTHER` for what isn't known. Never raises.

    Names are tables, views, procedures and the like as they were written, without quotes; names of common table expressions
    are left out. Of several statements the first three are told, once each where they repeat.
    """
    return _remembered(text if len(text) <= MAX_TEXT else text[:MAX_TEXT])


@lru_cache(maxsize=KEPT)
def _remembered(text: str) -> Statement:
    # Programs that write values into their texts have a new one each time: 5 us here instead of 30 and more below.
    head = _VALUES.match(text)
    text = head.group() if head is not None else text
    return _read(text if _INTRICATE.search(text) else _VALUE.sub("?", text))


@lru_cache(maxsize=KEPT)
def _read(text: str) -> Statement:
    found: list[_Reading] = []
    summaries: list[str] = []
    reading = _Reading()
    for kind, piece in _tokens(text):
        if kind == "mark" and piece == ";":
            reading = _Reading()
            continue
        if kind == "word" and not reading.operation:
            found.append(reading)
        reading.take(kind, piece)
        if len(found) > MAX_STATEMENTS:
            break
    for each in found[:MAX_STATEMENTS]:
        if each.summary() not in summaries:
            summaries.append(each.summary())
    first = found[0] if found else reading
    return Statement(
        operation=first.operation or OTHER,
        collection=first.tables[0] if first.tables else "",
        summary=("; ".join(summaries) or OTHER)[:MAX_SUMMARY],
    )


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    """(kind, piece) of what counts. Stops where the dialects disagree on whether a literal ends, so that none is read as names."""
    for match in _TOKEN.finditer(text):
        kind, piece = match.lastgroup or "mark", match.group()
        if match["dollar"] is not None:
            kind = "value"
        if _unclear(kind, piece, text, match.end()):
            return
        if kind != "blank":
            yield kind, piece


def _unclear(kind: str, piece: str, text: str, end: int) -> bool:
    if kind == "blank":
        return piece.startswith("/*") and piece.count("/*") > 1  # PostgreSQL nests comments, others don't.
    if kind == "mark":
        # A quotation without end; MySQL's comments begin with #, PostgreSQL has operators like #>.
        return piece in "\"`'" or (piece == "#" and text[end : end + 1] not in (">", "-", "#", "|", "&", "="))
    # MySQL escapes a quotation mark with a backslash, the standard doubles it.
    return kind in ("value", "quoted") and piece[0] not in "eE$" and ("\\'" in piece or '\\"' in piece)


class _Level:
    """What is known within one pair of parentheses."""

    __slots__ = ("defines", "listing", "names_next", "query", "started")

    def __init__(self, *, query: bool = False) -> None:
        self.query = query  # FROM begins a clause here; in EXTRACT(year FROM day) it doesn't.
        self.started = False
        self.listing = False  # A comma leads to another table.
        self.defines = False  # In a list of common table expressions,
        self.names_next = False  # where the next word is the name of one.


class _Reading:
    """One statement, piece by piece."""

    __slots__ = ("_common", "_dotted", "_expects", "_levels", "_object", "_path", "_previous", "operation", "tables")

    def __init__(self) -> None:
        self.operation = ""
        self.tables: list[str] = []
        self._object = ""
        self._path: list[str] = []
        self._dotted = False
        self._expects = False
        self._previous = ""
        self._common: set[str] = set()
        self._levels = [_Level(query=True)]

    def summary(self) -> str:
        """Operation, kind of object and tables."""
        self._close()
        return " ".join((self.operation or OTHER, self._object, *self.tables)).replace("  ", " ").strip()

    def take(self, kind: str, piece: str) -> None:
        """Read the next piece."""
        if self.operation == OTHER:
            return
        if self._dotted and kind in ("word", "quoted"):
            self._path.append(_clean(piece, kind))
            self._dotted = False
            return
        if piece == "." and self._path:
            self._dotted = True
            return
        self._close()
        if kind == "word":
            self._word(piece, piece.upper())
        elif kind == "quoted":
            self._quoted(piece)
        elif kind == "mark":
            self._mark(piece)
        else:
            self._expects = False
        self._previous = piece.upper()

    def _close(self) -> None:
        """The name that was being read is complete."""
        if not self._path:
            return
        path, self._path, self._dotted = self._path, [], False
        name = ".".join(path)[:MAX_NAME]
        common = len(path) == 1 and name.lower() in self._common
        if not common and name not in self.tables and len(self.tables) < MAX_TABLES:
            self.tables.append(name)

    def _mark(self, piece: str) -> None:
        level = self._levels[-1]
        if piece == "(":
            self._levels.append(_Level())
        elif piece == ",":
            self._expects = level.listing
            level.names_next = level.defines
        else:
            if piece == ")" and len(self._levels) > 1:
                self._levels.pop()
            self._expects = False

    def _quoted(self, piece: str) -> None:
        level = self._levels[-1]
        if level.names_next:
            level.names_next = False
            self._common.add(_clean(piece, "quoted").lower())
        elif self._expects:
            self._expects = False
            self._path = [_clean(piece, "quoted")]

    def _word(self, piece: str, word: str) -> None:
        level = self._levels[-1]
        if not level.started:
            level.started = True
            level.query = level.query or word in _QUERIES or word == "WITH"
        if level.names_next:
            if word != "RECURSIVE":
                level.names_next = False
                self._common.add(piece.lower())
        elif not self.operation or (self.operation == "WITH" and level.defines and word in _QUERIES):
            level.defines = False
            self._begin(word, level)
        elif not self._expects or word in _NAMELESS:
            self._expects = False
            self._keyword(word, level)
        elif word not in _FILLERS:
            self._expects = False
            self._path = [_clean(piece, "word")]

    def _begin(self, word: str, level: _Level) -> None:
        """The statement's own operation."""
        self.operation = word if word in _OPERATIONS else OTHER
        self._expects = word in _DIRECT
        if word == "WITH":
            level.defines = level.names_next = True
        elif word == "FROM":  # DuckDB: FROM orders SELECT total
            self.operation = "SELECT"
            self._expects = level.listing = True

    def _keyword(self, word: str, level: _Level) -> None:
        if word in _CLAUSES or word in _QUERIES:
            level.listing = level.defines = False
        if word == "FROM" and level.query and self._previous != "DISTINCT":  # IS DISTINCT FROM compares.
            self._expects = level.listing = True
        elif word in ("JOIN", "INTO") or (word == "USING" and self.operation in ("MERGE", "DELETE")):
            self._expects = True
        elif word == "WITH" and self._previous == "(":
            level.defines = level.names_next = True
        elif word in _OBJECTS and not self._object and self.operation in _DEFINING:
            self._object = word
            self._expects = True


def _clean(piece: str, kind: str) -> str:
    """*piece* as a name: without its quotation marks, and only what can be shown."""
    if kind == "quoted":
        end = piece[-1]
        piece = piece[1:-1].replace(end * 2, end)
    if piece.isprintable():
        return piece[:MAX_NAME]
    return "".join(each if each.isprintable() else " " for each in piece)[:MAX_NAME].strip()
