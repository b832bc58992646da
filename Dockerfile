# lineside in an image: `docker build -t lineside .`, then e.g. `docker run lineside --help`.

FROM python:3.11-slim-bookworm AS build
# Requirements come as wheels; only Faust has none for Linux on ARM, and does without its compiled
# parts there. The compiler is for lineside's own core, and stays in this stage.
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    NO_CYTHON=1 \
    LINESIDE_CORE=compiled
RUN apt-get update \
 && apt-get install --yes --no-install-recommends gcc libc6-dev \
 && rm -rf /var/lib/apt/lists/*
RUN python -m venv /opt/lineside
WORKDIR /src
# The lock first: it changes less often than the code, and so its layer is kept.
COPY requirements.lock ./
RUN /opt/lineside/bin/pip install --require-hashes --requirement requirements.lock
COPY pyproject.toml README.md LICENSE hatch_build.py ./
COPY streams ./streams
COPY tables ./tables
COPY agents ./agents
RUN /opt/lineside/bin/pip install --no-deps --no-build-isolation . \
 && /opt/lineside/bin/lineside --version

FROM python:3.11-slim-bookworm
RUN useradd --system --uid 10001 --user-group --no-create-home --home-dir /var/lib/lineside lineside \
 && install --directory --owner=lineside --group=lineside /var/lib/lineside
COPY --from=build /opt/lineside /opt/lineside
ENV PATH=/opt/lineside/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    LINESIDE_HOST=0.0.0.0 \
    LINESIDE_DATA_DIR=/var/lib/lineside
USER lineside
WORKDIR /var/lib/lineside
EXPOSE 8080
# Of a worker: it is ready once the state of every partition is restored.
HEALTHCHECK --interval=10s --timeout=5s --start-period=120s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen('http://127.0.0.1:%s/ready' % os.environ.get('LINESIDE_PORT', '8080'), timeout=4)"]
ENTRYPOINT ["lineside"]
CMD ["--help"]
