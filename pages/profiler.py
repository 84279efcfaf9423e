"""What does perf itself spend its time on?"""

from __future__ import annotations

from dashboard import profiles, ui

state = ui.state()
with ui.card("Profile", "looks at every thread of this process for a while; one at a time"):
    profiles.controls()
ui.ticking("Progress", profiles.progress, 1.0 if profiles.running() else 0.0)
found = profiles.newest()
if found is None:
    ui.empty(
        "The flame chart of the newest profile will stand here. Of another process:",
        "python -m perf profile --pid 4711",
    )
else:
    with ui.card("Where the time goes", profiles.note(found, state.zone)):
        profiles.flame(found)
    with ui.card("Costliest functions", "samples that ended there, and those in which it was called"):
        profiles.table(found)
    profiles.downloads(found)
