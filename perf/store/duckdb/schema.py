"""The layout of the store file, in numbered steps that are never edited once released."""

from __future__ import annotations

import duckdb

from perf.errors import StoreError
from perf.sqlfiles import sql
from perf.store.duckdb.connection import Database, run

MIGRATIONS = (
    "migration_001",
    "migration_002",
    "migration_003",
    "migration_004",
    "migration_005",
    "migration_006",
    "migration_007",
)
"""Step n brings version n - 1 to n."""

_PACKAGE = "perf.store.duckdb"


def migrate(database: Database) -> None:
    """Bring *database* to the newest layout.

    Raises: StoreError when it is another program's database, or of a newer perf; it is left as it is.
    """
    version = _version(database)
    if version > len(MIGRATIONS):
        raise StoreError(
            f"{database.path}: written by a newer perf (layout {version}, this one knows {len(MIGRATIONS)}); upgrade perf"
        )
    for number, name in enumerate(MIGRATIONS[version:], version + 1):
        with database.transaction() as writer:
            for statement in writer.extract_statements(sql(_PACKAGE, name)):
                writer.execute(statement).fetchall()
            run(writer, "DELETE FROM schema_version")
            run(writer, "INSERT INTO schema_version VALUES ($version)", {"version": number})


def _version(database: Database) -> int:
    """Version of the layout; 0, with the place to note it, when the file is empty."""
    try:
        # Asking for it costs a tenth of listing the tables.
        with database.transaction() as writer:
            return int(run(writer, "SELECT max(version) FROM schema_version")[0][0] or 0)
    except StoreError as error:
        if not isinstance(error.__cause__, duckdb.CatalogException):
            raise
    with database.transaction() as writer:
        if run(writer, "SELECT 1 FROM duckdb_tables() WHERE database_name = current_database() LIMIT 1"):
            raise StoreError(f"{database.path}: holds another program's tables and was left alone; set store.path")
        run(writer, "CREATE TABLE schema_version (version INTEGER NOT NULL)")
    return 0
