"""How notifications fare: each channel, every attempt, and a test. The Alerts page shows it."""

from __future__ import annotations

from functools import partial

import streamlit as st

from dashboard import access, alerting, data, tables, ui
from dashboard.state import State, lasted
from dashboard.units import NOTHING, counted, show
from perf.model import Window
from perf.model.access import Scope
from perf.views.alerts import ChannelState


def deliveries(state: State) -> None:
    """What became of notifications on each channel, every attempt, and a test."""
    window = alerting.span(state)
    _channels(window)
    _test()
    found = tables.turned(partial(alerting.deliveries, window), alerting.PAGE_ROWS, "delivery_page")
    if not found.total:
        ui.empty("Every attempt to tell somebody stands here, with its outcome and how long it took.")
        return
    rows = [
        {
            "When": data.clock_time(one.ts, state.zone, seconds=True),
            "Channel": one.channel,
            "Outcome": one.outcome,
            "Attempt": one.attempt,
            "Took": show(one.seconds, "s"),
            "Says": one.detail or NOTHING,
            "Notification": one.notification_id,
        }
        for one in found.deliveries
    ]
    tables.plain(rows, alt="Attempts, the newest first")
    tables.paged(counted(found.total, "attempt"), found.total, alerting.PAGE_ROWS, "delivery_page")


def _test() -> None:
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        channel = st.selectbox("Channel", alerting.channels(), key="test_channel", width=200)
        why = access.reason(Scope.OPERATE)
        off = channel is None or bool(why)
        pressed = st.button("Send test", key="send_test", icon=":material/send:", disabled=off, help=why)
    if pressed and channel is not None:
        with ui.framed("The test"), access.doing(Scope.OPERATE, "channel.test", channel):
            attempts = alerting.alerts().test(channel)
            if not attempts:
                st.warning(f"{channel} was not tried yet; the attempt will stand below.", icon=":material/schedule:")
            for one in attempts:
                mark = ":material/check:" if one.outcome == "delivered" else ":material/error:"
                st.markdown(
                    f"{mark} {one.channel}: {one.outcome} in {show(one.seconds, 's')} {tables.escaped(one.detail)}"
                )
            alerting.deliveries.clear()


def _channels(window: Window) -> None:
    found = alerting.delivery(window)
    dead = sum(one.dead for one in found)
    if dead:
        words = "One notification was" if dead == 1 else f"{dead:,} notifications were"
        st.warning(f"{words} given up in this range; below stands why.", icon=":material/error:")
    tables.plain([_channel(one) for one in found], alt="Channels")


def _channel(one: ChannelState) -> dict[str, object]:
    waits = NOTHING if one.since is None else lasted(max(0.0, data.now() - one.since))
    return {
        "Channel": one.name,
        "Delivered": one.delivered,
        "Tried again": one.retry,
        "Given up": one.dead,
        "Not needed": one.cancelled,
        "Waiting": one.waiting,
        "For": waits,
        "Fails because": one.failing or NOTHING,
    }
