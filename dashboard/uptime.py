"""Checks as cards and strips, and the score with its parts, as HTML. Values in, text out; every word is escaped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from dashboard.state import clock_time, lasted
from dashboard.theme import LOOKS
from dashboard.units import NOTHING, show
from perf.health.score import Rated, Score, ScorePart
from perf.model import Status, UptimeCell
from perf.views.health import ProbeState, Uptime

LEAST_SHARE = 18.0
"""Percent of a cell's height that a state takes at least: a minute of a day must be seen."""
_WORST_FIRST = (Status.UNHEALTHY, Status.DEGRADED, Status.UNKNOWN, Status.HEALTHY)
_GRADED = {"fair": Status.DEGRADED, "poor": Status.UNHEALTHY}
_RATED = {Rated.GOOD: Status.HEALTHY, Rated.NEEDS_IMPROVEMENT: Status.DEGRADED, Rated.POOR: Status.UNHEALTHY}

CSS = """<style>
.perf-checks { display: grid; grid-template-columns: repeat(auto-fill, minmax(15rem, 1fr)); gap: 0.6rem; }
.perf-check { border: 1px solid color-mix(in srgb, currentColor 16%, transparent); border-radius: 6px;
  border-left: 3px solid var(--state); padding: 0.5rem 0.7rem; display: flex; flex-direction: column; gap: 0.15rem; min-width: 0; }
.perf-check h4 .perf-quiet { font-weight: 400; }
.perf-check h4 { margin: 0; padding: 0; font-size: 0.95rem; font-weight: 600; display: flex; gap: 0.45rem; align-items: baseline; }
.perf-check .shape { color: var(--state); font-size: 0.8em; }
.perf-check .word { font-weight: 400; margin-left: auto; white-space: nowrap; }
.perf-check .says { font-size: 0.86rem; line-height: 1.35; overflow-wrap: anywhere; display: -webkit-box; -webkit-line-clamp: 3;
  -webkit-box-orient: vertical; overflow: hidden; min-height: 2.4rem; margin-bottom: 0.25rem; }
.perf-quiet { opacity: 0.72; font-size: 0.82rem; }
.perf-check .foot { display: flex; justify-content: space-between; gap: 0.5rem; margin-top: auto; white-space: nowrap; }
.perf-strip { display: flex; gap: 1px; height: 1.05rem; width: 100%; }
.perf-strip i { flex: 1 1 0; border-radius: 1px; min-width: 1px; }
.perf-strip i.none { background: color-mix(in srgb, currentColor 9%, transparent); }
.perf-uptime { display: grid; grid-template-columns: minmax(5rem, max-content) repeat(3, minmax(7rem, 1fr) 4.2rem); gap: 0.35rem 0.7rem;
  align-items: center; overflow-x: auto; }
.perf-uptime .head { opacity: 0.72; font-size: 0.82rem; }
.perf-uptime .ratio { font-variant-numeric: tabular-nums; text-align: right; font-size: 0.88rem; }
@media (max-width: 1000px) {
  .perf-uptime { grid-template-columns: minmax(4rem, max-content) repeat(3, minmax(2.5rem, 1fr) 3.4rem); gap: 0.35rem; }
  .perf-uptime .perf-strip { gap: 0; }
  .perf-uptime .perf-strip i { min-width: 0; border-radius: 0; }
}
.perf-score { display: grid; grid-template-columns: max-content minmax(6rem, 1fr) max-content; gap: 0.45rem 0.9rem; align-items: center; }
.perf-score .whole { grid-column: 1 / -1; font-size: 1.9rem; line-height: 1.1; }
.perf-score .whole small { font-size: 0.95rem; opacity: 0.75; }
.perf-score .bar { height: 0.7rem; border-radius: 2px; display: flex; overflow: hidden;
  background: color-mix(in srgb, currentColor 9%, transparent); }
.perf-score .cost { text-align: right; font-variant-numeric: tabular-nums; }
.perf-score .rated { grid-column: 1 / -1; display: flex; flex-wrap: wrap; gap: 0.3rem 1rem; font-size: 0.86rem; margin-top: 0.3rem; }
</style>"""


def cards(states: Sequence[ProbeState], days: Mapping[str, Uptime], zone: str, now: float) -> str:
    """Every check: state, what it says, how long it took, since when, and its last day."""
    return f'{CSS}<div class="perf-checks">{"".join(_card(one, days.get(one.name), zone, now) for one in states)}</div>'


def strips(names: Sequence[str], ranges: Mapping[str, Mapping[str, Uptime]], zone: str, now: float) -> str:
    """A line a check, a strip a range: when it was in which state, and how long it was up."""
    heads = "".join(f'<span class="head">{escape(title)}</span><span></span>' for title in ranges)
    rows = []
    for name in names:
        rows.append(f"<span>{escape(name)}</span>")
        for title, found in ranges.items():
            one = found.get(name)
            rows.append(_strip(one, f"{name}, {title}", zone, now) + f'<span class="ratio">{percent(one)}</span>')
    return f'{CSS}<div class="perf-uptime"><span></span>{heads}{"".join(rows)}</div>'


def percent(found: Uptime | None) -> str:
    """``99.98 %``, rounded down: what was down once is never shown as 100 %."""
    if found is None or found.ratio is None:
        return NOTHING
    whole = int(found.ratio * 10_000) / 100
    return "100 %" if found.ratio == 1.0 else f"{whole:.2f} %"


def score(found: Score) -> str:
    """The number, what each part cost, and what its numbers are called."""
    if found.value is None:
        return ""
    look = LOOKS[_GRADED.get(found.grade, Status.HEALTHY)]
    whole = (
        f'<div class="whole"><span style="color:{look.color};font-size:0.7em" aria-hidden="true">{look.shape}</span> '
        f"{found.value:.0f} <small>of 100, {escape(found.grade)}</small></div>"
    )
    words = "".join(_rated(one.title, show(one.value, one.unit), one.rated) for one in found.ratings)
    rows = "".join(_part(part) for part in found.parts)
    return f'{CSS}<div class="perf-score">{whole}{rows}<div class="rated">{words}</div></div>'


def _card(one: ProbeState, day: Uptime | None, zone: str, now: float) -> str:
    result = one.result
    look = LOOKS[result.status if result else Status.UNKNOWN]
    says = result.message if result else "not run yet"
    since = "" if result is None or result.since is None else f"for {lasted(max(0.0, now - result.since))}"
    optional = (
        "" if one.plan.critical else '<span title="it degrades the whole, and never makes it unhealthy">optional</span>'
    )
    stale = result is not None and now - result.ts > 3 * one.plan.interval + one.plan.timeout
    checked = NOTHING if result is None else clock_time(result.ts, zone, now, seconds=True)
    took = NOTHING if result is None else show(result.seconds, "s")
    return (
        f'<article class="perf-check" style="--state:{look.color}"><h4><span class="shape" aria-hidden="true">{look.shape}</span>'
        f'{escape(one.name)}<span class="word perf-quiet">{look.word} {escape(since)}</span></h4>'
        f'<div class="says" title="{escape(says)}">{escape(says)}</div>{_strip(day, f"{one.name}, 24 h", zone, now)}'
        f'<div class="foot perf-quiet"><span>{"stale, " if stale else ""}{checked}, {took}</span>'
        f"{optional}<span>{percent(day)}</span></div></article>"
    )


def _strip(found: Uptime | None, label: str, zone: str, now: float) -> str:
    cells = "" if found is None else "".join(_cell(cell, zone, now) for cell in _filled(found))
    return f'<div class="perf-strip" role="img" aria-label="{escape(label)}: up {percent(found)}">{cells}</div>'


def _filled(found: Uptime) -> list[tuple[float, float, UptimeCell | None]]:
    """Beginning and end of every cell of a strip, with what is known of it."""
    known = {round((cell.start - found.start) / found.step): cell for cell in found.cells}
    count = round((found.end - found.start) / found.step)
    return [(found.start + at * found.step, found.start + (at + 1) * found.step, known.get(at)) for at in range(count)]


def _cell(cell: tuple[float, float, UptimeCell | None], zone: str, now: float) -> str:
    start, end, found = cell
    when = f"{clock_time(start, zone, now)}–{clock_time(end, zone, now).rpartition(' ')[2]}"
    if found is None:
        return f'<i class="none" title="{when}: nobody looked"></i>'
    spent = [(status, found.seconds[status]) for status in _WORST_FIRST if found.seconds.get(status)]
    words = ", ".join(f"{LOOKS[status].word} {lasted(seconds)}" for status, seconds in spent)
    return f'<i style="background:{gradient(spent)}" title="{when}: {words}"></i>'


def gradient(spent: Sequence[tuple[Status, float]]) -> str:
    """A background whose heights are the shares of time, the worst state at the bottom; none less than LEAST_SHARE."""
    whole = sum(seconds for _, seconds in spent) or 1.0
    raised = [max(LEAST_SHARE, 100 * seconds / whole) for _, seconds in spent]
    scale = 100 / sum(raised)
    stops, at = [], 0.0
    for (status, _), share in zip(spent, raised, strict=True):
        stops.append(f"{_tone(status)} {at:.0f}% {at + share * scale:.0f}%")
        at += share * scale
    return f"linear-gradient(to top, {', '.join(stops)})" if len(stops) > 1 else _tone(spent[0][0])


def _tone(status: Status) -> str:
    """The colour of a state in a strip: what is well is quiet."""
    color = LOOKS[status].color
    return f"color-mix(in srgb, {color} 42%, transparent)" if status is Status.HEALTHY else color


def _part(part: ScorePart) -> str:
    if part.value is None:
        return (
            f'<span>{escape(part.title)}</span><span class="perf-quiet">nobody measured it: it does not count</span>'
            f'<span class="cost perf-quiet">{NOTHING}</span>'
        )
    kept, lost = LOOKS[Status.HEALTHY].color, LOOKS[Status.UNHEALTHY].color
    less = "from" if part.target > part.worst else "up to"
    title = (
        f"{show(part.value, part.unit)} {part.measures}; free {less} {show(part.target, part.unit)}, "
        f"all {part.points:.0f} points lost at {show(part.worst, part.unit)}"
    )
    cost = f"−{part.cost:.1f}" if part.cost >= 0.05 else "0"
    return (
        f'<span>{escape(part.title)} <span class="perf-quiet">{show(part.value, part.unit)} {escape(part.measures)}</span></span>'
        f'<div class="bar" style="width:{max(4.0, part.points):.1f}%" role="img" aria-label="{escape(title)}" title="{escape(title)}">'
        f'<i style="flex:{part.points - part.cost:.2f};background:{kept}"></i><i style="flex:{part.cost:.2f};background:{lost}"></i>'
        f'</div><span class="cost">{cost} <span class="perf-quiet">of {part.points:.0f}</span></span>'
    )


def _rated(title: str, value: str, rated: Rated) -> str:
    look = LOOKS[_RATED[rated]]
    mark = f'<span style="color:{look.color};font-size:0.8em" aria-hidden="true">{look.shape}</span>'
    return f'<span>{mark} {escape(title)} {value} <span class="perf-quiet">{rated.value}</span></span>'
