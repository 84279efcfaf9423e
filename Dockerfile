# syntax=docker/dockerfile:1
# The owner process: dashboard, HTTP API, health and metrics on one port.
#
#   docker build -t perf .
#   docker run -p 127.0.0.1:8503:8503 -e PERF_INSECURE=1 -v perf-data:/data perf
#
# Inside a container the server must listen on all addresses, which perf refuses without sign-in. PERF_INSECURE=1 says
# that whoever reaches the port may see everything, so it isn't set here: it is given by the person who publishes the
# port, as above on loopback only, or behind a proxy that signs people in.

FROM python:3.11-slim AS build
WORKDIR /build
COPY requirements.txt requirements.lock ./
# No cache and no bytecode in the layer; every wheel is binary, so no compiler is needed.
RUN python -m venv /opt/perf \
 && /opt/perf/bin/pip install --no-cache-dir --no-compile --only-binary :all: -r requirements.txt -c requirements.lock

FROM python:3.11-slim
LABEL org.opencontainers.image.title="perf" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN groupadd --system --gid 10001 perf \
 && useradd --system --uid 10001 --gid 10001 --no-create-home --home-dir /data perf \
 && install -d -o perf -g perf /data
COPY --from=build /opt/perf /opt/perf
WORKDIR /app
COPY . .
# Compiled once here: the files belong to root, the process can't write beside them.
RUN /opt/perf/bin/python -m compileall -q /opt/perf/lib perf dashboard pages app.py
ENV PATH=/opt/perf/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PERF_ENVIRONMENT=production \
    PERF_STORE__PATH=/data/perf.duckdb \
    PERF_SERVER__HOST=0.0.0.0
USER 10001:10001
VOLUME /data
EXPOSE 8503
# A failing store is no reason to restart: only a process that doesn't answer is. The path exists below /health alone,
# because Streamlit answers 200 to every unknown one.
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 \
  CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8503/health/live', timeout=4)"]
# Exec form: SIGTERM reaches the server, which drains, checkpoints and closes the store within 25 s (docker stop -t 30).
# The owner without the dashboard: docker run ... perf python -m perf serve
CMD ["python", "-m", "perf", "dashboard"]
