"""What fires, what would, and who is told?"""

from __future__ import annotations

from dashboard import alerts, deliveries, ruleeditor, rulelist, silences, ui

state = ui.state()

ui.ticking("The answer", alerts.answer, 10.0 if state.ticks else 0.0)
chosen = alerts.part()
if chosen == "Firing":
    with ui.card("Firing", "the worst first"):
        alerts.firing(state)
elif chosen == "History":
    with ui.card("History", "every incident of the range, the newest first"):
        alerts.history(state)
elif chosen == "Rules":
    with ui.card("A rule", "and what it would have done, before it is saved"):
        ruleeditor.editor(state)
    with ui.card("Rules", "what each did in the last seven days"):
        rulelist.table()
    with ui.card("As a file", "so that rules live in git"):
        rulelist.file()
elif chosen == "Silences":
    with ui.card("Silences", "in force and to come"):
        silences.silences(state)
    with ui.card("Another silence", "from now on, planned, or coming again; clocks are those of the zone"):
        silences.form(state)
else:
    with ui.card("Deliveries", "every attempt of the range, the newest first"):
        deliveries.deliveries(state)
