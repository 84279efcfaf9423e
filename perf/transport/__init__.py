"""Measurements between processes, as OTLP over HTTP: in from anything that speaks it, out to an owner or a collector."""
