"""The HTTP interface: one file a resource. Handlers read; what they answer is decided in perf.views."""
