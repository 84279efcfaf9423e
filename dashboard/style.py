"""The few rules of style that Streamlit's theme has no setting for, and the mark of the product."""

from __future__ import annotations

_MARK = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} 32" width="{width}" height="32" role="img" '
    'aria-label="perf"><rect width="32" height="32" rx="8" fill="#4848E5"/>'
    '<path d="M6 18h4l3-9 5 15 3.5-9 1.5 3H26" fill="none" stroke="#fff" stroke-width="2.4" '
    'stroke-linecap="round" stroke-linejoin="round"/>{word}</svg>'
)
# Strokes instead of letters: an image can't use the page's fonts.
_WORD = (
    '<g fill="none" stroke="#7A7FA8" stroke-width="2.8" stroke-linecap="round">'
    '<path d="M45 12.5v15M45 17.5a5 5 0 1 1 0 1.6"/><path d="M59.6 18h9.8a5 5 0 1 0-1.5 3.9"/>'
    '<path d="M75 12.8v10.4M75 17.6c.6-3.2 2.6-4.8 5.2-4.6"/><path d="M86 23.2V11.4c0-2.6 1.6-4 4.2-3.6M83.4 13.4h6.2"/></g>'
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
.st-key-header { min-height: 2.6rem; margin-bottom: 0.25rem; }
[data-testid="stSidebarUserContent"] [data-testid="stCaptionContainer"] { margin-top: -0.6rem; }
[data-testid="stMainBlockContainer"] { padding: 2.25rem 2rem 3rem; }
[data-testid="stSidebarUserContent"] { padding-bottom: 2rem; }
@media (max-width: 1100px) {
  .stMain [data-testid="stLayoutWrapper"] > [data-testid="stHorizontalBlock"]:has(> [data-testid="stColumn"]) { flex-wrap: wrap; }
  .stMain [data-testid="stColumn"] { min-width: min(100%, 15rem); }
}
</style>
"""
