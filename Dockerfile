# The images of operator and agents, on a base that you name by the digest that you have verified; there is no default,
# and a tag alone is refused:
#   BASE=python:3.13-slim-trixie@sha256:…
#   docker build --build-arg PYTHON_IMAGE=$BASE --build-arg PART=operator -t interlock/operator:0.1.0 .
#   docker build --build-arg PYTHON_IMAGE=$BASE --build-arg PART=agents   -t interlock/agents:0.1.0 .
ARG PYTHON_IMAGE

FROM ${PYTHON_IMAGE} AS build
ARG PYTHON_IMAGE
RUN case "${PYTHON_IMAGE}" in *@sha256:????????????????????????????????????????????????????????????????) ;; \
    *) echo "name PYTHON_IMAGE by its digest: ${PYTHON_IMAGE}" >&2; exit 1 ;; esac
ARG PART
RUN pip install --no-cache-dir --disable-pip-version-check uv==0.13.8
ENV UV_PROJECT_ENVIRONMENT=/opt/interlock UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never
WORKDIR /src
COPY . .
# Every package is checked against the hashes of uv.lock.
RUN test "${PART}" = operator -o "${PART}" = agents \
    && EXTRAS="--extra ${PART} --extra postgres $([ "${PART}" = operator ] || echo --extra llm)" \
    && uv sync --locked --no-dev --no-editable ${EXTRAS} \
    && uv export --locked --no-dev ${EXTRAS} --format cyclonedx1.5 \
        --quiet --output-file /opt/interlock/sbom.cdx.json

FROM ${PYTHON_IMAGE}
COPY --from=build /opt/interlock /opt/interlock
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER 65532:65532
ENTRYPOINT ["/opt/interlock/bin/interlock"]
