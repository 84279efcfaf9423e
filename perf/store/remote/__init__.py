"""The store of an owner elsewhere, asked over HTTP."""

from perf.store.remote.store import RemoteStore

__all__ = ["RemoteStore"]
