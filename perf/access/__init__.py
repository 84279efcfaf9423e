"""How people and programs are recognised: passwords, a provider, sessions, keys. Pages and routes for it are in `perf.api`."""
