# make image (or docker build -t connector .)
# docker run --read-only --tmpfs /tmp -p 127.0.0.1:8080:8080 -v ./data:/data -e BOOXI_PARTNER_KEY … connector
# The folder mounted at /data holds connector.toml (host = "0.0.0.0") and gets the database; user 10001 must be able to write there.

# A base image by its digest: --build-arg BASE=python:3.13-slim-trixie@sha256:… (docker buildx imagetools inspect shows it).
ARG BASE=python:3.13-slim-trixie

FROM ${BASE} AS build
WORKDIR /build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
# With the extras postgres and jwt: a read-only image is no place to add packages to.
COPY requirements-image.lock ./
RUN python -m venv /opt/connector \
    && /opt/connector/bin/python -m pip install --quiet --require-hashes --requirement requirements-image.lock
COPY pyproject.toml README.md LICENSE ./
COPY connector ./connector
RUN /opt/connector/bin/python -m pip install --quiet --no-deps --no-build-isolation . \
    && /opt/connector/bin/python -m compileall -q /opt/connector/lib \
    && /opt/connector/bin/connector --help > /dev/null \
    && /opt/connector/bin/python -c "import psycopg, cryptography.hazmat.primitives.serialization"

FROM ${BASE}
COPY --from=build /opt/connector /opt/connector
ENV PATH=/opt/connector/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
RUN install -d -o 10001 -g 10001 -m 0750 /data
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8080
STOPSIGNAL SIGTERM
# Another port than 8080 in the configuration: say so with -e CONNECTOR_HEALTH_URL=http://127.0.0.1:PORT/healthz
HEALTHCHECK --interval=30s --timeout=5s --start-period=15s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as u; u.build_opener(u.ProxyHandler({})).open(os.environ.get('CONNECTOR_HEALTH_URL', 'http://127.0.0.1:8080/healthz'), timeout=4)"]
ENTRYPOINT ["connector"]
CMD ["serve", "--config", "/data/connector.toml"]
