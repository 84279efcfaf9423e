"""An owner that is gone between a batch's commit and its answer: arguments are the store, the port, and dies or lives."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from concurrent.futures import Future

import uvicorn

from perf.api.app import build
from perf.model import Batch, Measurement
from perf.runtime import Runtime
from perf.settings import HostSettings, ProcessSettings, Settings, SourceSettings, StoreSettings


def main() -> None:
    """Serve until killed."""
    path, port, fate = sys.argv[1:]
    settings = Settings(
        store=StoreSettings(path=path),
        sources=SourceSettings(host=HostSettings(enabled=False), process=ProcessSettings(enabled=False)),
    )
    runtime = Runtime(settings)
    submit = runtime.writer.submit

    def fatal(samples: Sequence[Measurement], batch: Batch | None = None) -> Future[None]:
        stored = submit(samples, batch)
        if batch is not None:
            stored.add_done_callback(lambda _: os.kill(os.getpid(), signal.SIGKILL))
        return stored

    if fate == "dies":
        runtime.writer.submit = fatal  # type: ignore[method-assign]  # what a power cut would do
    runtime.start()
    uvicorn.run(build(runtime), port=int(port), log_level="error")
    runtime.stop()


if __name__ == "__main__":
    main()
