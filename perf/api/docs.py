"""The interface as a page: plain HTML from the endpoints, its only asset a style sheet of ours, no script."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from html import escape
from itertools import groupby
from pathlib import Path

import msgspec

from perf.api.endpoint import Endpoint, Param, exampled

POLICY = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
"""What a browser may load for the page."""
ADDRESS = "http://localhost:8503"


def page(endpoints: Sequence[Endpoint]) -> str:
    """The page."""
    groups = [(name, list(some)) for name, some in groupby(sorted(endpoints, key=_group), key=_group)]
    links = "".join(f'<a href="#{escape(name)}">{escape(name)}</a>' for name, _ in groups)
    body = "".join(f'<h2 id="{escape(name)}">{escape(name)}</h2>' + "".join(map(_entry, some)) for name, some in groups)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>perf: HTTP interface</title>'
        '<meta name="viewport" content="width=device-width"><link rel="stylesheet" href="docs.css"></head><body>'
        '<h1>perf</h1><p class="quiet">Everything that the dashboard shows or does. For programs: '
        '<a href="openapi.json">openapi.json</a></p>'
        f"<nav>{links}</nav>{body}</body></html>"
    )


def style() -> bytes:
    """The style sheet."""
    return Path(__file__).with_suffix(".css").read_bytes()


def curl(endpoint: Endpoint, address: str = ADDRESS) -> str:
    """A command that asks *endpoint* its example."""
    place, body = exampled(endpoint)
    words = ["curl"]
    if endpoint.method not in ("GET", "POST") or (endpoint.method == "POST" and not body):
        words += ["-X", endpoint.method]
    if body:
        words += ["-H", "content-type: application/json", "-d", body]
    return shlex.join([*words, address + place])


def _group(endpoint: Endpoint) -> str:
    parts = endpoint.url.strip("/").split("/")
    return "/" + "/".join(parts[:3] if parts[:2] == ["api", "v1"] else parts[:2] if parts[0] == "api" else parts[:1])


def _entry(one: Endpoint) -> str:
    rows = "".join(map(_row, (*one.query, *one.headers)))
    table = f"<table>{rows}</table>" if rows else ""
    forms = "" if one.media == ("application/json",) else f'<p class="quiet">{escape(", ".join(one.media))}</p>'
    return (
        f'<details><summary><span><span class="method">{one.method}</span> <code>{escape(one.url)}</code></span>'
        f'<span class="quiet">{escape(one.summary)}</span><span class="scope">{one.needs.value}</span></summary>'
        f"{table}{_body(one)}{forms}<pre>{escape(curl(one))}</pre></details>"
    )


def _row(param: Param) -> str:
    schema = param.schema
    kind = " | ".join(schema["enum"]) if "enum" in schema else str(schema["type"])
    if "minimum" in schema:
        kind = f"{schema['minimum']} to {schema['maximum']:,}"
    default = f", default {schema['default']}" if "default" in schema else ""
    notes = [word for word, holds in (("required", param.required), ("may repeat", param.many)) if holds]
    told = f'<br><span class="quiet">{escape("; ".join([kind + default, *notes]))}</span>'
    return f"<tr><td><code>{escape(param.name)}</code></td><td>{escape(param.help)}{told}</td></tr>"


def _body(one: Endpoint) -> str:
    if one.body is None or not isinstance(one.body, type) or not issubclass(one.body, msgspec.Struct):
        return ""
    fields = msgspec.structs.fields(one.body)
    rows = "".join(
        f"<tr><td><code>{escape(field.encode_name)}</code></td>"
        f'<td class="quiet">{"required" if field.required else "optional"}</td></tr>'
        for field in fields
    )
    return f"<p>{escape((one.body.__doc__ or '').strip())}</p><table>{rows}</table>"
