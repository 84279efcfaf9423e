"""One module a database driver; `perf.instrument.dbapi` picks it."""
