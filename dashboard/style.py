"""The few rules of style that Streamlit's theme has no setting for, and the mark of the product."""

from __future__ import annotations

_MARK = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} 32" width="{width}" height="32" role="img" '
    'aria-label="perf"><rect width="32" height="32" rx="8" fill="#4848E5"/>'
    '<path d="M6 18h4l3-9 5 15 3.5-9 1.5 3H26" fill="none" stroke="#fff" stroke-width="2.4" '
    'stroke-linecap="round" stroke-linejoin="round"/>{word}</svg>'
)
_WORD = (
    '<text x="42" y="23" font-family="Source Sans, Source Sans 3, sans-serif" font-size="22" font-weight="700" '
    'fill="#7A7FA8">perf</text>'
)

ICON = "data:image/svg+xml;utf8," + _MARK.format(width=32, word="").replace("#", "%23").replace('"', "'")
LOGO = _MARK.format(width=92, word=_WORD)

CSS = """
<style>
.perf-answer { margin: 0; font-size: 1rem; line-height: 1.5; }
.perf-mark { display: inline-block; width: 1.25em; font-size: 0.9em; }
.st-key-header { align-items: center; flex-wrap: wrap; }
.st-key-header > div:first-child { flex: 1 1 12rem; }
.st-key-header h2 { padding: 0; font-size: 1.5rem; }
[data-testid="stSidebarUserContent"] [data-testid="stCaptionContainer"] { margin-top: -0.6rem; }
[data-testid="stMainBlockContainer"] { padding-top: 2.5rem; padding-bottom: 3rem; }
[data-testid="stSidebarUserContent"] { padding-bottom: 2rem; }
</style>
"""
