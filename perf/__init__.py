"""perf: a performance monitor in one process, with its data in a DuckDB file."""

__version__ = "0.1.0"
