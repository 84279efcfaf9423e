"""What `worker_app` records for a request; apart from it, since whoever imports that begins to send."""

EVENTS = 50
