"""The content of frames and arrays as bytes, for keys. The only module of the keys that imports their packages."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

from perf.errors import CacheError

Encode = Callable[[object], bytes]


def content(value: Any, encode: Encode) -> bytes:  # Any: of one of four packages, none of them imported for a type
    """Type, shape, labels and cells of *value*. *encode* is for what it holds besides: labels, objects in cells.

    Raises: CacheError for other types of these packages.
    """
    kind = type(value)
    write = _KINDS.get((kind.__module__.partition(".")[0], kind.__name__))
    if write is not None:
        return encode(kind.__name__) + write(value, encode)
    if kind.__module__ == "numpy" and hasattr(value, "dtype"):  # a numpy scalar
        return encode((value.dtype.str, value.tobytes()))
    raise CacheError(f"no key can be made from {kind.__module__}.{kind.__qualname__}")


def _array(value: Any, encode: Encode) -> bytes:  # Any: numpy.ndarray
    shape = (value.dtype.str, value.dtype.descr if value.dtype.names else None, value.shape)
    if value.dtype.hasobject:
        return encode((shape, value.ravel().tolist()))
    return encode(shape) + encode(value.tobytes())


def _arrow(value: Any, encode: Encode) -> bytes:  # Any: pyarrow.Table
    import pyarrow as pa

    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, value.schema) as writer:
        # Chunks are how it was made, not what it holds.
        writer.write_table(value.combine_chunks())
    return encode(sink.getvalue())


def _arrow_batch(value: Any, encode: Encode) -> bytes:  # Any: pyarrow.RecordBatch
    import pyarrow as pa

    return _arrow(pa.Table.from_batches([value]), encode)


def _column(value: Any, encode: Encode) -> bytes:  # Any: pandas.Series or pandas.Index
    dtype = repr(value.dtype)
    if value.dtype == object:
        return encode((dtype, value.to_list()))
    if dtype.startswith("CategoricalDtype") or value.dtype.kind == "M" or not hasattr(value.dtype, "descr"):
        import pyarrow as pa

        array = pa.array(value, from_pandas=True)
        array = pa.chunked_array([array]) if isinstance(array, pa.Array) else array
        return encode(dtype) + _arrow(pa.table({"": array}), encode)
    return encode(dtype) + _array(value.to_numpy(), encode)


def _index(value: Any, encode: Encode) -> bytes:  # Any: pandas.Index
    names = encode(list(value.names))
    if value.nlevels > 1:
        return names + b"".join(_column(value.get_level_values(level), encode) for level in range(value.nlevels))
    return names + encode(type(value).__name__) + _column(value, encode)


def _series(value: Any, encode: Encode) -> bytes:  # Any: pandas.Series
    return encode(value.name) + _index(value.index, encode) + _column(value, encode)


def _frame(value: Any, encode: Encode) -> bytes:  # Any: pandas.DataFrame
    columns = b"".join(_column(value.iloc[:, place], encode) for place in range(value.shape[1]))
    return encode(value.shape) + _index(value.columns, encode) + _index(value.index, encode) + columns


def _polars(value: Any, encode: Encode) -> bytes:  # Any: polars.DataFrame
    sink = io.BytesIO()
    value.rechunk().write_ipc_stream(sink, compression="uncompressed")
    return encode(sink.getvalue())


def _polars_series(value: Any, encode: Encode) -> bytes:  # Any: polars.Series
    return _polars(value.to_frame(), encode)


def _moment(value: Any, encode: Encode) -> bytes:  # Any: pandas.Timestamp or pandas.Timedelta
    return encode((repr(value), value.unit))


_KINDS: dict[tuple[str, str], Callable[[Any, Encode], bytes]] = {
    ("numpy", "ndarray"): _array,
    ("pyarrow", "Table"): _arrow,
    ("pyarrow", "RecordBatch"): _arrow_batch,
    ("pandas", "DataFrame"): _frame,
    ("pandas", "Series"): _series,
    ("pandas", "Index"): _index,
    ("pandas", "RangeIndex"): _index,
    ("pandas", "DatetimeIndex"): _index,
    ("pandas", "MultiIndex"): _index,
    ("pandas", "Timestamp"): _moment,
    ("pandas", "Timedelta"): _moment,
    ("polars", "DataFrame"): _polars,
    ("polars", "Series"): _polars_series,
}
