"""What the page Settings shows to admins: keys of programs, and the audit log. Others read why they don't see them."""

from __future__ import annotations

from urllib.parse import urlencode

import streamlit as st

from dashboard import access, data, tables, ui
from dashboard.state import State
from dashboard.units import NOTHING, counted
from perf.model import Window
from perf.model.access import ApiKey, AuditEntry, Scope

PAGE_ROWS = 25
ACTIONS = (
    "any",
    *("sign", "key", "rule", "silence", "incident", "threshold", "cache", "sessions"),
    *("checks", "channel", "profile", "log-level", "api"),
)
"""How actions in the audit log begin."""
SPANS: dict[str, float | None] = {
    "30 days": 30 * 86_400.0,
    "90 days": 90 * 86_400.0,
    "a year": 31_536_000.0,
    "no end": None,
}
_SCOPES = tuple(scope.value for scope in Scope if scope is not Scope.PUBLIC)
_NEW = "new_key_text"


def keys(state: State) -> None:
    """Every key, a form for a new one, and its text once."""
    if not _admin("API keys"):
        return
    found = data.runtime().access.keys.all()
    if found:
        tables.plain([_key(key, state) for key in found], alt="API keys", height=390 if len(found) > 10 else "content")
        _revoke([key for key in found if key.state(data.now()) == "valid"])
    else:
        ui.empty("No program has a key yet. A key opens the API to it, without anybody's password.")
    _create()
    if text := st.session_state.pop(_NEW, ""):
        st.success("The new key. Copy it now: nobody can read it again.", icon=":material/key:")
        st.code(text, language=None)


def audit(state: State) -> None:
    """The audit log, page by page, and all of it as a file."""
    if not _admin("The audit log"):
        return
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        chosen = str(st.selectbox("Action", ACTIONS, key="audit_action", width=160, bind="query-params"))
        who = st.text_input("By", key="audit_who", placeholder="anybody", width=200, bind="query-params") or ""
        action = "" if chosen == ACTIONS[0] else chosen
        query = urlencode({"format": "csv", "from": 0, "action": action, "who": who})
        st.link_button("CSV", f"api/v1/audit?{query}", icon=":material/download:", help="Every entry that matches")
    ever, log = Window(0.0, data.now() + 60.0), data.runtime().access.audit
    found = tables.turned(
        lambda page: log.entries(ever, PAGE_ROWS, (page - 1) * PAGE_ROWS, action=action, who=who),
        PAGE_ROWS,
        "audit_page",
    )
    if not found.total:
        ui.empty(
            "No entry matches."
            if action or who
            else "Every change stands here, with who made it, when, and from where."
        )
        return
    tables.plain([_entry(one, state) for one in found.entries], alt="Audit log, the newest first")
    tables.paged(counted(found.total, "entry", "entries"), found.total, PAGE_ROWS, "audit_page")


def _admin(what: str) -> bool:
    why = access.reason(Scope.ADMIN)
    if why:
        st.markdown(f":gray[{what}: {tables.escaped(why)}.]")
    return why is None


def _create() -> None:
    form = st.form("new_key", border=False, clear_on_submit=True)
    row = form.container(horizontal=True, vertical_alignment="bottom", gap="small")
    name = row.text_input("Name", key="key_name", placeholder="what it is for")
    scopes = row.multiselect("May", _SCOPES, default=["read"], key="key_scopes", width=320)
    span = str(row.selectbox("Ends after", list(SPANS), key="key_span", width=140))
    pressed = row.form_submit_button("Make a key", icon=":material/key:")
    if pressed:
        with ui.framed("The key"), access.doing(Scope.ADMIN):
            wanted = [Scope(scope) for scope in scopes]
            ring = data.runtime().access.keys
            _, text = ring.create(name, wanted, seconds=SPANS[span], author=access.person())
            st.session_state[_NEW] = text
            st.rerun()


def _revoke(valid: list[ApiKey]) -> None:
    if not valid:
        return
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        labels = {f"{key.name} ({key.id})": key.id for key in valid}
        chosen = st.selectbox("Key", list(labels), key="revoked_key", width=320)
        pressed = st.button("Revoke", key="revoke_key", icon=":material/key_off:", help="It opens nothing from now on")
    if pressed:
        with ui.framed("Revoking"), access.doing(Scope.ADMIN):
            data.runtime().access.keys.revoke(labels[str(chosen)], author=access.person())
            st.toast("Revoked", icon=":material/check:")
            st.rerun()


def _key(key: ApiKey, state: State) -> dict[str, object]:
    def moment(ts: float | None, otherwise: str) -> str:
        return otherwise if ts is None else data.clock_time(ts, state.zone)

    return {
        "Name": key.name,
        "Id": key.id,
        "May": ", ".join(key.scopes),
        "State": key.state(data.now()),
        "Ends": moment(key.expires, "never"),
        "Last used": moment(key.last_used, NOTHING),
        "Made": moment(key.created, NOTHING),
        "By": key.author,
    }


def _entry(one: AuditEntry, state: State) -> dict[str, object]:
    return {
        "When": data.clock_time(one.ts, state.zone, seconds=True),
        "Who": one.who,
        "Via": one.via,
        "From": one.address or NOTHING,
        "Did": one.action,
        "What": one.subject,
        "Before": one.before or NOTHING,
        "After": one.after or NOTHING,
    }
