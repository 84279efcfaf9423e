"""The default store: one DuckDB file, opened by one process."""

from perf.store.duckdb.store import DuckDBStore

__all__ = ["DuckDBStore"]
