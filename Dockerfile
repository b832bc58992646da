# lineside in an image: `docker build -t lineside .`, then e.g.
#   docker run --rm lineside --help
#   docker run --rm -p 127.0.0.1:8080-8081:8080-8081 lineside demo --host 0.0.0.0     pages with a token
#
# For a registry, name the base by digest, and say what was built:
#   docker buildx imagetools inspect python:3.11-slim-bookworm      shows today's digest
#   docker build -t lineside:0.1.0 --build-arg BASE=python:3.11-slim-bookworm@sha256:... \
#     --build-arg VERSION=0.1.0 --build-arg REVISION="$(git rev-parse HEAD)" .

ARG BASE=python:3.11-slim-bookworm

FROM ${BASE} AS build
# Requirements come as wheels; only Faust has none for Linux on ARM, and does without its compiled
# parts there. The compiler is for lineside's own core, and stays in this stage.
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    NO_CYTHON=1 \
    LINESIDE_CORE=compiled
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install --yes --no-install-recommends gcc libc6-dev \
 && rm -rf /var/lib/apt/lists/*
RUN python -m venv /opt/lineside && python -m venv /opt/sbom
WORKDIR /src
# The locks first: they change less often than the code, and so their layers are kept.
COPY requirements.lock requirements-sbom.lock ./
RUN /opt/lineside/bin/pip install --require-hashes --requirement requirements.lock \
 && /opt/sbom/bin/pip install --require-hashes --requirement requirements-sbom.lock
COPY pyproject.toml README.md LICENSE hatch_build.py ./
COPY streams ./streams
COPY tables ./tables
COPY agents ./agents
# There's no git history here to tell the version from.
ARG VERSION=0.0
RUN SETUPTOOLS_SCM_PRETEND_VERSION="${VERSION}" \
    /opt/lineside/bin/pip install --no-deps --no-build-isolation . \
 && /opt/lineside/bin/lineside --version
# What builds doesn't run: it goes, pip last. What is left is what the SBOM tells of.
RUN /opt/lineside/bin/pip uninstall --yes \
      cython editables hatch-vcs hatchling pathspec pluggy setuptools setuptools-scm \
      trove-classifiers \
 && /opt/lineside/bin/pip check \
 && /opt/lineside/bin/pip uninstall --yes pip \
 && /opt/sbom/bin/cyclonedx-py environment --output-reproducible \
      --output-file /opt/lineside/sbom.cdx.json /opt/lineside/bin/python

FROM ${BASE}
ARG VERSION=0.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="lineside" \
      org.opencontainers.image.description="A stream processor between the shop floor and the ERP" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
RUN useradd --system --uid 10001 --user-group --no-create-home --home-dir /var/lib/lineside lineside \
 && install --directory --owner=lineside --group=lineside /var/lib/lineside
COPY --from=build /opt/lineside /opt/lineside
# It writes to its data directory alone: the rest may be read-only. LINESIDE_HOST isn't set: a page
# that others reach takes tokens, and whoever has some sets both.
ENV PATH=/opt/lineside/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    LINESIDE_DATA_DIR=/var/lib/lineside
# By number: an orchestrator that wants nobody to be root can see that.
USER 10001:10001
WORKDIR /var/lib/lineside
# A worker's page, and the desk.
EXPOSE 8080 8081
# Of a worker: it is ready once the state of every partition is restored.
HEALTHCHECK --interval=10s --timeout=5s --start-period=120s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen('http://127.0.0.1:%s/ready' % os.environ.get('LINESIDE_PORT', '8080'), timeout=4)"]
ENTRYPOINT ["lineside"]
CMD ["--help"]
