"""Frames as Arrow IPC streams and arrays as npy, given back exactly as they were or refused. Imports their packages."""

from __future__ import annotations

import io
import math
from typing import Any

from perf.cache.arrowstream import compressed
from perf.errors import CacheError

_MARK = b"perf"
_CELL = 8
_MOST_EMPTY = 2**28
"""Bytes of cells in pandas for which nothing needs to stand in Arrow, such as rows of nulls: those take no room there."""
_BITS = 64
"""Times as much as in Arrow that a column may take in pandas, where a Boolean isn't a bit."""
_PANDAS, _SERIES, _POLARS, _POLARS_SERIES, _TABLE, _BATCH = b"DSPpTB"
_NAMES = {
    ("pandas", "DataFrame"): _PANDAS,
    ("pandas", "Series"): _SERIES,
    ("polars", "DataFrame"): _POLARS,
    ("polars", "Series"): _POLARS_SERIES,
    ("pyarrow", "Table"): _TABLE,
    ("pyarrow", "RecordBatch"): _BATCH,
}


def encoded(value: Any) -> bytes:  # Any: of one of four packages, none of them imported for a type
    """*value* as a letter that says what it is, and a stream. Raises: CacheError, and what the packages raise."""
    kind = type(value)
    package = kind.__module__.partition(".")[0]
    if package == "numpy":
        return _npy(value)
    name = _NAMES.get((package, kind.__name__))
    if name is None:
        raise CacheError(f"{kind.__module__}.{kind.__qualname__} has no codec")
    if package == "polars":
        return _polars(name, value)
    return _arrow(name, value) if package == "pyarrow" else _pandas(name, value)


def decoded(data: bytes | memoryview, *, array: bool) -> Any:  # Any: what was encoded
    """What *data* holds. Raises: anything for what `encoded` didn't write."""
    if array:
        return _array(memoryview(data))
    view = memoryview(data)
    name, body = view[0], view[1:]
    # None of ours are, and the packages have no limit for what they unpack: 2 KB can become gigabytes.
    if compressed(body):
        raise CacheError("a frame with compressed columns")
    if name in (_POLARS, _POLARS_SERIES):
        import polars as pl

        frame = pl.read_ipc_stream(io.BytesIO(body))
        return frame.to_series() if name == _POLARS_SERIES else frame
    if name not in _NAMES.values():
        raise CacheError(f"no kind of frame: {name}")
    table = _table(body)
    if name == _BATCH:
        (batch,) = table.to_batches() or [None]
        return batch
    return table if name == _TABLE else _from_table(table, series=name == _SERIES)


def _polars(name: int, value: Any) -> bytes:
    import polars as pl

    frame = value.to_frame() if name == _POLARS_SERIES else value
    if any(dtype.base_type() is pl.Object for dtype in frame.dtypes):
        raise CacheError("a frame with Python objects in it")
    sink = io.BytesIO(bytes([name]))
    sink.seek(1)
    frame.write_ipc_stream(sink, compression="uncompressed")
    return sink.getvalue()


def _arrow(name: int, value: Any) -> bytes:
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    sink.write(bytes([name]))
    with pa.ipc.new_stream(sink, value.schema) as writer:
        writer.write(value)
    return bytes(sink.getvalue())


def _table(body: memoryview) -> Any:
    import pyarrow as pa

    with pa.ipc.open_stream(pa.py_buffer(body), options=pa.ipc.IpcReadOptions(use_threads=False)) as reader:
        table = reader.read_all()
    table.validate()
    return table


def _pandas(name: int, value: Any) -> bytes:
    import pyarrow as pa

    frame = value.to_frame("" if value.name is None else value.name) if name == _SERIES else value
    table = pa.Table.from_pandas(frame, nthreads=1)
    marks = [str(getattr(frame.index, "freqstr", None) or ""), "none" if name == _SERIES and value.name is None else ""]
    table = table.replace_schema_metadata({**table.schema.metadata, _MARK: "\n".join(marks).encode()})
    if not _same(frame, _frame(table, marks[0])):
        raise CacheError("Arrow does not give this pandas frame back as it is (objects in cells, attrs or labels)")
    return _arrow(name, table)


def _from_table(table: Any, *, series: bool) -> Any:
    freq, unnamed = table.schema.metadata[_MARK].decode().split("\n")
    frame = _frame(table, freq)
    if not series:
        return frame
    found = frame.iloc[:, 0]
    return found.rename(None) if unnamed else found


def _frame(table: Any, freq: str) -> Any:
    if table.num_rows * table.num_columns * _CELL > max(_MOST_EMPTY, _BITS * table.nbytes):
        raise CacheError(f"{table.num_rows} rows that nothing stands for")
    frame = table.to_pandas(use_threads=False)
    if freq:
        frame.index.freq = freq
    return frame


def _same(before: Any, after: Any) -> bool:
    """Whether two frames are equal to the last label: pandas' own metadata in Arrow loses some."""
    if before.shape != after.shape or before.attrs != after.attrs or list(before.dtypes) != list(after.dtypes):
        return False
    if not (_same_labels(before.index, after.index) and _same_labels(before.columns, after.columns)):
        return False
    if before.attrs and repr(before.attrs) != repr(after.attrs):
        return False
    objects = [place for place, dtype in enumerate(before.dtypes) if dtype == object]
    if any(not _same_cells(before.iloc[:, place], after.iloc[:, place]) for place in objects):
        return False
    return all(_same_categories(before.iloc[:, place], after.iloc[:, place]) for place in range(before.shape[1]))


def _same_labels(before: Any, after: Any) -> bool:
    if type(before) is not type(after) or list(before.names) != list(after.names) or not before.equals(after):
        return False
    if before.nlevels > 1:
        return list(before.dtypes) == list(after.dtypes)
    if before.dtype != after.dtype or getattr(before, "freq", None) != getattr(after, "freq", None):
        return False
    return before.dtype != object or _same_cells(before, after)


def _same_cells(before: Any, after: Any) -> bool:
    return all(type(one) is type(other) and one == other for one, other in zip(before, after, strict=True))


def _same_categories(before: Any, after: Any) -> bool:
    return before.dtype.name != "category" or _same_labels(before.cat.categories, after.cat.categories)


def _npy(value: Any) -> bytes:
    import numpy as np

    sink = io.BytesIO()
    np.lib.format.write_array(sink, value, allow_pickle=False)
    return sink.getvalue()


def _array(data: memoryview) -> Any:
    import numpy as np

    head = io.BytesIO(data[:_HEAD])
    version = np.lib.format.read_magic(head)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = read(head)
    if dtype.hasobject:
        raise CacheError("an array with Python objects in it")
    body = data[head.tell() :]
    if math.prod(shape) * dtype.itemsize != len(body):
        raise CacheError(f"an array of {shape} does not fit {len(body)} bytes")
    # np.ndarray and not frombuffer, which refuses what is empty; the copy may be written to.
    return np.ndarray(shape, dtype, bytearray(body), order="F" if fortran else "C")


_HEAD = 65_600
"""Enough for any header of an array that numpy is willing to read."""
