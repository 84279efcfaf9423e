"""The pages, in the order of the navigation. A new page is one line here and one file in ``pages/``."""

from __future__ import annotations

from pathlib import Path

import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

PAGES = Path(__file__).resolve().parents[1] / "pages"


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One page: file name without ending, title, icon, path in the URL, section, and whether time applies."""

    file: str
    title: str
    icon: str
    path: str
    section: str
    timed: bool = True
    help: str = ""

    @property
    def source(self) -> Path:
        """Its script."""
        return PAGES / f"{self.file}.py"


ENTRIES: tuple[Entry, ...] = (
    Entry(
        file="overview",
        title="Overview",
        icon=":material/monitoring:",
        path="overview",
        section="Now",
        help="Is it healthy, and what changed?",
    ),
    Entry(
        file="alerts",
        title="Alerts",
        icon=":material/notifications:",
        path="alerts",
        section="Now",
        help="What fires, what would, and who is told?",
    ),
    Entry(
        file="health",
        title="Health",
        icon=":material/ecg_heart:",
        path="checks",
        section="Now",
        help="Which check fails, since when?",
    ),
    Entry(
        file="trends",
        title="Trends",
        icon=":material/trending_up:",
        path="trends",
        section="Explore",
        help="How does it move?",
    ),
    Entry(
        file="functions",
        title="Functions & endpoints",
        icon=":material/function:",
        path="functions",
        section="Explore",
        help="Where does the time go?",
    ),
    Entry(
        file="cache",
        title="Cache",
        icon=":material/bolt:",
        path="cache",
        section="Explore",
        help="Does it pay?",
    ),
    Entry(
        file="profiler",
        title="Profiler",
        icon=":material/local_fire_department:",
        path="profiler",
        section="Data",
        timed=False,
        help="What does perf itself spend its time on?",
    ),
    Entry(
        file="settings",
        title="Settings",
        icon=":material/settings:",
        path="settings",
        section="Data",
        timed=False,
        help="Thresholds, sources, retention, and what perf itself costs",
    ),
)


def routes() -> list[Route]:
    """The first page lives at the root; whoever types its name gets there, too."""

    async def root(request: Request) -> Response:
        query = f"?{request.url.query}" if request.url.query else ""
        return RedirectResponse(f"./{query}", 307)

    return [Route(f"/{ENTRIES[0].path}", root)]


def entry(title: str) -> Entry:
    """The entry of the page called *title*."""
    return next(item for item in ENTRIES if item.title == title)
