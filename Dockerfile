# The images of operator and agents:
#   docker build --build-arg PART=operator -t interlock/operator:0.1.0 .
#   docker build --build-arg PART=agents   -t interlock/agents:0.1.0 .
# Pin the base by the digest that you have verified: --build-arg PYTHON_IMAGE=python:3.13-slim-trixie@sha256:…
ARG PYTHON_IMAGE=python:3.13-slim-trixie

FROM ${PYTHON_IMAGE} AS build
ARG PART
RUN pip install --no-cache-dir --disable-pip-version-check uv==0.13.8
ENV UV_PROJECT_ENVIRONMENT=/opt/interlock UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never
WORKDIR /src
COPY . .
# Every package is checked against the hashes of uv.lock.
RUN test "${PART}" = operator -o "${PART}" = agents \
    && uv sync --locked --no-dev --no-editable --extra "${PART}" --extra postgres \
    && uv export --locked --no-dev --extra "${PART}" --extra postgres --format cyclonedx1.5 \
        --quiet --output-file /opt/interlock/sbom.cdx.json

FROM ${PYTHON_IMAGE}
COPY --from=build /opt/interlock /opt/interlock
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER 65532:65532
ENTRYPOINT ["/opt/interlock/bin/interlock"]
