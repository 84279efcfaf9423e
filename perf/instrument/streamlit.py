"""Streamlit: every run of a script by page, page loads, errors, sessions and widget interactions. `instrument` switches it on.

Nothing of the script is wrapped. Streamlit's own script runner tells when a run begins and ends, on the thread that runs it, so
what the script calls nests below its page. Runners are listened to as they are made (`ScriptRunner.on_event`); sessions and
widgets have no events, so three methods of the runtime and one of the session state are followed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from perf.model import Kind, Metric
from perf.record import Recorder, current
from perf.record.spans import Span
from perf.record.timers import PAGE
from perf.record.watch import SKIPPED, Watch

if TYPE_CHECKING:
    from streamlit.runtime.scriptrunner_utils.script_run_context import ScriptRunContext

RERUN = Metric("streamlit_rerun_duration_seconds", Kind.HISTOGRAM, "s", "Time that runs of a script took.")
FRAGMENT = Metric("streamlit_fragment_duration_seconds", Kind.HISTOGRAM, "s", "Time that reruns of fragments took.")
SESSIONS = Metric("streamlit_sessions", unit="1", help="Browser tabs that are connected.")
WIDGETS = Metric("streamlit_widget_interactions_total", Kind.COUNTER, "1", "Changed widgets, by their kind.")

_MARK = "_perf_original"
_RUN = "_perf_run"
_log = logging.getLogger(__name__)


def instrument(*, recorder: Recorder | None = None) -> None:
    """Record this script from now on; the first line of an entry script. Called outside a script, in the module of an
    ``st.App`` for instance: every script of this process. Further calls, one each run for example, change nothing.
    """
    recorder = recorder or current()
    try:
        watching = _installed[0] if _installed else None
        if watching is None or watching.recorder is not recorder:
            uninstrument()
            watching = _Watching(recorder)
            watching.install()
            _installed.append(watching)
        watching.join()
    except (ImportError, AttributeError, TypeError) as error:
        if not _refused:
            _refused.append(True)
            _log.warning("this version of Streamlit can't be recorded: %s", error)


def uninstrument() -> None:
    """Record no more, in any script of this process."""
    while _installed:
        _installed.pop().remove()


class _Session:
    """What is remembered of one session."""

    def __init__(self) -> None:
        self.seen: set[str] = set()
        self.page = ""
        self.began = 0

    def loaded(self, page: str, began: int, ended: int, *, complete: bool) -> int:
        """Nanoseconds that *page* took to load when that is so just now, else 0. Reruns that the script asks for belong to it."""
        if page in self.seen:
            return 0
        if page != self.page:
            self.page, self.began = page, began
        if not complete:
            return 0
        self.seen.add(page)
        return ended - self.began


class _Watching:
    """What stands in Streamlit's way of things: the one instrumentation of this process."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self.everything = False
        self.scripts: set[str] = set()
        self.sessions: WeakKeyDictionary[Any, _Session] = WeakKeyDictionary()  # by Streamlit's own object of a session
        self._watches: dict[tuple[Metric, str], Watch] = {}
        self._patched: list[tuple[type, str, Callable[..., Any]]] = []

    def install(self) -> None:
        """Follow Streamlit. Raises: ImportError, AttributeError when it is made in another way."""
        from streamlit.runtime.runtime import Runtime
        from streamlit.runtime.scriptrunner import ScriptRunner, ScriptRunnerEvent
        from streamlit.runtime.state import SessionState

        self.message = ScriptRunnerEvent.ENQUEUE_FORWARD_MSG
        self.begins = ScriptRunnerEvent.SCRIPT_STARTED
        self.again = ScriptRunnerEvent.SCRIPT_STOPPED_FOR_RERUN
        self.ends = {event for event in ScriptRunnerEvent if "_STOPPED_" in event.name}
        wanted: list[tuple[type, str, Callable[..., None]]] = [
            (ScriptRunner, "__init__", self.listen),
            (SessionState, "on_script_will_rerun", self.changed),
            (Runtime, "connect_session", self.counted),
            (Runtime, "disconnect_session", self.counted),
            (Runtime, "close_session", self.counted),
        ]
        # All are looked up before the first is replaced.
        for owner, name, original, then in [(o, n, getattr(o, n), then) for o, n, then in wanted]:
            # A module that was loaded anew, as Streamlit does when its file has changed, finds what the old one left.
            followed = _followed(getattr(original, _MARK, original), then, self.recorder)
            setattr(owner, name, followed)
            self._patched.append((owner, name, followed))

    def remove(self) -> None:
        """Leave Streamlit as it was; what somebody else has wrapped since stays, and is silent."""
        for owner, name, followed in self._patched:
            if getattr(owner, name) is followed:
                setattr(owner, name, getattr(followed, _MARK))
        self._patched.clear()
        self.scripts.clear()
        self.everything = False

    def join(self) -> None:
        """Record the script that runs on this thread, and its present run from here on; without one, every script."""
        context = _context()
        if context is None:
            self.everything = True
            return
        path = context.main_script_path
        if path in self.scripts or self.everything:
            return
        self.scripts.add(path)
        send: Any = context._enqueue  # noqa: SLF001 - a method of the runner, which may be older than we are
        self.listen(send.__self__)
        run = getattr(send.__self__, _RUN)
        if not run.under_way:
            run.begin(context)
        self.counted()

    def listen(self, runner: Any, *_: Any, **__: Any) -> None:
        """Hear the events of *runner*, unless somebody does: this module before it was loaded anew."""
        if not hasattr(runner, _RUN):
            run = _Run(self)
            setattr(runner, _RUN, run)
            runner.on_event.connect(run.told, weak=False)

    def wants(self, context: ScriptRunContext) -> bool:
        """Whether the script of *context* is to be recorded."""
        return self.everything or context.main_script_path in self.scripts

    def session(self, context: ScriptRunContext) -> _Session:
        """What is remembered of the session of *context*."""
        return self.sessions.setdefault(context.pages_manager, _Session())

    def watch(self, metric: Metric, page: str) -> Watch:
        """What runs of *page* are recorded with."""
        found = self._watches.get((metric, page))
        if found is None:
            found = Watch(self.recorder, metric, {"page": page}, kind="page", name=page)
            self._watches[metric, page] = found
        return found

    def counted(self, *_: Any, **__: Any) -> None:
        """How many sessions are connected now."""
        from streamlit import runtime

        # Nothing public counts sessions; the runtime of an AppTest has none.
        manager = getattr(runtime.get_instance(), "_session_mgr", None) if runtime.exists() else None
        if manager is not None:
            self.recorder.gauge(SESSIONS).set(float(manager.num_active_sessions()))

    def changed(self, state: Any, *_: Any, **__: Any) -> None:
        """Which widgets a rerun is about: those whose new value isn't the one that the script saw last."""
        context = _context()
        if context is None or not self.wants(context):
            return
        values = state._new_widget_state  # noqa: SLF001 - what changed is known nowhere else
        for widget in tuple(values):
            known = values.widget_metadata.get(widget)
            if known is not None and state._widget_changed(widget):  # noqa: SLF001 - as above
                self.recorder.counter(WIDGETS, {"page": page(context), "widget": kind(known.deserializer)}).add()


class _Run:
    """The runs of one script runner, one after the other on its own thread."""

    def __init__(self, watching: _Watching) -> None:
        self._watching = watching
        self._context: ScriptRunContext | None = None
        self._metric = RERUN
        self._span: Span | None = None
        self._began = 0
        self._error: Exception | None = None

    @property
    def under_way(self) -> bool:
        """Whether a run has begun and not ended."""
        return self._context is not None

    def told(self, _: Any, event: object, **facts: Any) -> None:
        """An event: dozens a run, most of them messages to the browser."""
        watching = self._watching
        if event is watching.message:
            return
        try:
            if event is watching.begins:
                context = _context()
                if context is not None and watching.wants(context):
                    self.begin(context, fragment=bool(facts.get("fragment_ids_this_run")))
            elif self._context is not None and event in watching.ends:
                self._end(self._context, event, facts.get("exception"))
        except Exception:  # noqa: BLE001 - the edge where perf must not break its host.
            watching.recorder.failed("recording a run of a Streamlit script")

    def begin(self, context: ScriptRunContext, *, fragment: bool = False) -> None:
        """A run begins."""
        self._context, self._error = context, None
        self._metric = FRAGMENT if fragment else RERUN
        context.on_script_error = self._noting(context.on_script_error)
        watch = self._watching.watch(self._metric, page(context))
        self._span = watch.enter() if watch.series.mode or watch.recorder.spans.live else None
        self._began = perf_counter_ns()

    def _end(self, context: ScriptRunContext, event: object, broken: Exception | None) -> None:
        ended = perf_counter_ns()
        took = ended - self._began
        shown = page(context)  # Known for sure only now: the script itself says which pages there are.
        if self._span is not None and self._span is not SKIPPED:
            self._span.name = shown
        watch, error = self._watching.watch(self._metric, shown), self._error or broken
        self._context = self._error = None
        if error is not None:
            watch.failed(took, self._span, error, (), {})
        elif self._span is not SKIPPED:
            watch.series.tick()
            watch.series.put_ns(took)
            watch.note(took, self._span, (), {})
        if self._metric is RERUN:
            complete = event is not self._watching.again
            load = self._watching.session(context).loaded(shown, self._began, ended, complete=complete)
            if load:
                self._watching.recorder.distribution(PAGE, {"page": shown}).record_ns(load)

    def _noting(self, handler: Any) -> Callable[[Exception], bool | None]:
        """*handler* of the app's own, if it has one, with a note of the error; a runner hands it on from run to run."""
        own = getattr(handler, _MARK, handler)

        def noted(error: Exception) -> bool | None:
            self._error = self._error or error
            return own(error) if own is not None else None

        setattr(noted, _MARK, own)
        return noted


def page(context: ScriptRunContext) -> str:
    """The path of the page in the browser's address; the name of the script for the first page, or the only one."""
    manager = context.pages_manager
    info: Any = manager.get_pages().get(context.page_script_hash) or {}
    return info.get("url_pathname") or Path(manager.main_script_path).stem


def kind(deserializer: Any) -> str:
    """What a widget is, from the class that reads its value: ``button``, ``text_input``; toggles count as ``checkbox``."""
    owner = type(getattr(deserializer, "__self__", None))
    if not owner.__module__.startswith("streamlit.elements."):
        return "component"
    name = owner.__name__.removesuffix("Serde").removesuffix("State").strip("_")
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).strip("_")


def _context() -> ScriptRunContext | None:
    from streamlit.runtime.scriptrunner import get_script_run_ctx

    return get_script_run_ctx(suppress_warning=True)


def _followed(original: Callable[..., Any], then: Callable[..., None], recorder: Recorder) -> Callable[..., Any]:
    """*original*, after which *then* is called with the same arguments, whether or not it ended well."""

    @wraps(original)
    def followed(*args: Any, **kwargs: Any) -> Any:  # any signature
        try:
            return original(*args, **kwargs)
        finally:
            try:
                then(*args, **kwargs)
            except Exception:  # noqa: BLE001 - the edge where perf must not break its host.
                recorder.failed("following Streamlit")

    setattr(followed, _MARK, original)
    return followed


_installed: list[_Watching] = []
_refused: list[bool] = []
