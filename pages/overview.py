"""Is it healthy, and what changed?"""

from __future__ import annotations

from dashboard import overview, ui

state = ui.state()
requests, pages = overview.connected()

ui.ticking("The answer", overview.answer, 60.0 if state.ticks else 0.0)
with ui.framed("The tiles"):
    overview.tiles(state)
if requests:
    overview.requests(state)
if pages:
    overview.pages(state)
if requests or pages:
    overview.machine(state)
else:
    overview.large_machine(state)
overview.bottom(state, connected=requests or pages)
