"""Charts, tiles and state strips that live in the browser."""

from dashboard.components.live.mount import live_chart, live_strip, live_tiles
from dashboard.components.live.specs import Annotation, Band, Line, Threshold, Tile, View

__all__ = ["Annotation", "Band", "Line", "Threshold", "Tile", "View", "live_chart", "live_strip", "live_tiles"]
