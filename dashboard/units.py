"""Numbers as people read them. The browser has the same rules (``components/live/units.js``), checked by one table of cases."""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal

NOTHING = "–"
"""What stands where there is no number."""

_Scale = Sequence[tuple[float, str]]
_TIME: _Scale = ((1e-9, "ns"), (1e-6, "µs"), (1e-3, "ms"), (1.0, "s"), (60.0, "min"), (3600.0, "h"))
_IEC: _Scale = tuple((1024.0**power, unit) for power, unit in enumerate(("B", "KiB", "MiB", "GiB", "TiB", "PiB")))
_SI: _Scale = ((1.0, ""), (1e3, "k"), (1e6, "M"), (1e9, "G"), (1e12, "T"))
_SHARE: _Scale = ((0.01, "%"),)
_DIGITS = 3
_EXACT_DIGITS = 10


def show(value: float | None, unit: str = "") -> str:
    """*value* with three significant digits and a unit that fits: ``182 ms``, ``1.5 MiB/s``, ``18.4k``, ``0.21 %``.

    *unit* is the metric's: ``s``, ``By``, ``By/s``, ``%``, ``1`` or empty for counts, ``1/s`` for rates of counts; ``ratio`` is
    for a share of one, read in percent; any other is put behind the number as it is. None and NaN give a dash.
    """
    if value is None or math.isnan(value):
        return NOTHING
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    scale, suffix, gap = _scale(unit)
    sign = "−" if value < 0 else ""
    factor, name = _step(abs(value), scale)
    number = _number(abs(value) / factor, _DIGITS)
    if number == "0":
        sign, name = "", "" if scale is _SI else name
    return f"{sign}{number}{gap if name else ''}{name}{suffix}"


def exact(value: float | None, unit: str = "") -> str:
    """*value* in its base unit with up to ten significant digits: ``12,582,912 B``, ``0.1824137 s``."""
    if value is None or not math.isfinite(value):
        return show(value, unit)
    base = {"s": " s", "By": " B", "By/s": " B/s", "1": "", "": "", "1/s": " /s", "/s": " /s", "ratio": ""}
    sign = "−" if value < 0 else ""
    number = _number(abs(value), _EXACT_DIGITS)
    return f"{'' if number == '0' else sign}{number}{base.get(unit, f' {unit}')}"


def counted(count: int, one: str, more: str = "") -> str:
    """``1 entry``, ``1,204 entries``: *one* thing by name, and what *more* of them are called when not just by an s."""
    return f"1 {one}" if count == 1 else f"{count:,} {more or f'{one}s'}"


def ticks(top: float, unit: str, most: int = 5) -> list[float]:
    """Round numbers from zero to the first that is no less than *top*, *most* of them and zero at most: 0, 25, ... 100."""
    if not 0.0 < top < math.inf:
        return [0.0]
    factor, name = _step(top, _scale(unit)[0])
    raw = top / factor / most
    power = 10.0 ** math.floor(math.log10(raw))
    rounds = (10.0, 15.0, 30.0, 60.0) if name == "min" and raw >= 5 else [one * power for one in (1, 2, 2.5, 5, 10)]
    step = next((one for one in rounds if one >= raw * (1 - 1e-9)), rounds[-1])
    return [at * step * factor for at in range(math.ceil(top / factor / step - 1e-9) + 1)]


def _scale(unit: str) -> tuple[_Scale, str, str]:
    """The scale of *unit*, what follows the scaled unit, and what stands between number and unit."""
    if unit == "s":
        return _TIME, "", " "
    if unit in ("By", "By/s"):
        return _IEC, unit.removeprefix("By"), " "
    if unit in ("", "1"):
        return _SI, "", ""
    if unit in ("1/s", "/s"):
        return _SI, " /s", ""
    if unit == "ratio":
        return _SHARE, "", " "
    return ((1.0, ""),), f" {unit}", ""


def _step(size: float, scale: _Scale) -> tuple[float, str]:
    """The largest step whose number is at least 1 once rounded; the base unit for zero."""
    if size == 0:
        return next((step for step in scale if step[0] == 1.0), scale[0])
    chosen = scale[0]
    for factor, name in scale:
        if float(_plain(size / factor, _DIGITS)) >= 1:
            chosen = (factor, name)
    return chosen


def _number(size: float, digits: int) -> str:
    """*size* (not negative) rounded half up to *digits* significant digits, whole numbers kept whole, thousands grouped."""
    text = _plain(size, digits)
    whole, _, fraction = text.partition(".")
    return f"{int(whole):,}" + (f".{fraction}" if fraction else "")


def _plain(size: float, digits: int) -> str:
    if size == 0:
        return "0"
    places = min(15, max(0, digits - 1 - math.floor(math.log10(size))))
    rounded = Decimal(size).quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP)
    text = f"{rounded:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
