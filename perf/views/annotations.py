"""Deploys and notes: keeping one, and noticing a deploy by the release that a service reports."""

from __future__ import annotations

import threading
from concurrent.futures import Future

from perf.errors import StoreClosed
from perf.model import DEPLOY, Annotation, Window
from perf.ports import Annotations
from perf.store.writer import Writer
from perf.views.writes import PATIENCE, written

QUIET = 300.0
"""After this long (seconds) without a word a release runs no more. OpenTelemetry's SDKs report every minute."""
MAX_TEXT = 200

_EVER = Window(0.0, 253_402_300_799.0)
_REMEMBERED = 1_000


class Releases:
    """What runs where. Notes a deploy once when a service begins to run a release, from any thread.

    While workers are replaced one by one, the old and the new release report in turns: that is one deploy.
    """

    def __init__(self, store: Annotations, writer: Writer, *, resume: bool = True) -> None:
        """Goes on from the deploys that *store* knows, unless told not to *resume*."""
        self._store = store
        self._writer = writer
        self._lock = threading.Lock()
        known = store.annotations(_EVER) if resume else []
        self._newest = {noted.service: noted for noted in known if noted.kind == DEPLOY}
        self._running: dict[tuple[str, str], float] = {}

    def seen(self, service: str, release: str, ts: float) -> None:
        """*service* ran *release* (nothing: unknown) at *ts* (Unix seconds). Call it for every report, not only for changes."""
        deploy = Annotation(ts=ts, kind=DEPLOY, title=release[:MAX_TEXT], service=service[:MAX_TEXT])
        with self._lock:
            if not release or not self._is_new(deploy):
                return
            self._newest[deploy.service] = deploy
        try:
            self._writer.call(lambda: self._store.annotate(deploy)).add_done_callback(
                lambda done: self._kept(deploy, done)
            )
        except StoreClosed:
            self._forget(deploy)

    def announce(self, annotation: Annotation) -> None:
        """Keep *annotation*, which somebody makes by hand; durable when it returns. Its release will not be noted again.

        Raises: StoreBusy when the writer does not come to it (then it never will be kept), StoreError.
        """
        written(self._writer, lambda: self._store.annotate(annotation), "annotation", patience=PATIENCE)
        with self._lock:
            newest = self._newest.get(annotation.service)
            if annotation.kind == DEPLOY and (newest is None or newest.ts <= annotation.ts):
                self._newest[annotation.service] = annotation

    def _is_new(self, deploy: Annotation) -> bool:
        """Whether *deploy* is more than another report of what is known to run."""
        key = (deploy.service, deploy.title)
        before = self._running.get(key)
        self._running[key] = max(deploy.ts, before or deploy.ts)
        if len(self._running) > _REMEMBERED:
            self._running = {each: ts for each, ts in self._running.items() if ts > deploy.ts - QUIET}
        newest = self._newest.get(deploy.service)
        if newest is None:
            return True
        if newest.title == deploy.title or deploy.ts < newest.ts:
            return False
        alive = max(newest.ts, self._running.get((newest.service, newest.title), newest.ts))
        return before is None or before < deploy.ts - QUIET or alive < deploy.ts - QUIET

    def _kept(self, deploy: Annotation, done: Future[None]) -> None:
        if done.cancelled() or done.exception() is not None:
            self._forget(deploy)

    def _forget(self, deploy: Annotation) -> None:
        """It could not be kept: the next report tries again."""
        with self._lock:
            if self._newest.get(deploy.service) is deploy:
                del self._newest[deploy.service]
