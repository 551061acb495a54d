# syntax=docker/dockerfile:1
# Two images from one file:
#   docker build --target service -t amigo-service .   HTTP service, reconciler and webhooks, without torch
#   docker build --target worker  -t amigo-worker .    worker with CUDA torch and the weights
# A worker without CUDA, at a fraction of the size:
#   docker build --target worker --build-arg TORCH_INDEX=https://download.pytorch.org/whl/cpu -t amigo-worker:cpu .
# Pin the base by its digest in production: --build-arg PYTHON_IMAGE=python@sha256:…

ARG PYTHON_IMAGE=python:3.11-slim-bookworm
# hadolint ignore=DL3006
FROM ${PYTHON_IMAGE} AS base
ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    MPLCONFIGDIR=/tmp/matplotlib \
    PATH=/opt/venv/bin:$PATH
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin amigo
WORKDIR /app

# Only the requirements: these layers stay cached until a pin changes, regardless of code changes.
FROM base AS requirements
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_CONSTRAINT=/app/constraints.txt
COPY pyproject.toml constraints.txt README.md LICENSE NOTICE ./
RUN python -m venv /opt/venv

# Every version is pinned by constraints.txt. MediaPipe's declared requirements would install an outdated
# numpy: the extra `faces` lists the packages that it actually needs.
FROM requirements AS service-requirements
# hadolint ignore=DL3013
RUN --mount=type=cache,target=/root/.cache/pip \
    pip install '.[service,faces,tracing]' && pip install --no-deps mediapipe==0.10.21

FROM requirements AS worker-requirements
# An additional package index; of equal versions, pip takes the one with the local label, 2.13.0+cpu.
ARG TORCH_INDEX=
# hadolint ignore=DL3013
RUN --mount=type=cache,target=/root/.cache/pip \
    PIP_EXTRA_INDEX_URL=$TORCH_INDEX pip install '.[worker,tracing]' && pip install --no-deps mediapipe==0.10.21

FROM base AS service
COPY --from=service-requirements /opt/venv /opt/venv
COPY jobs jobs
COPY media media
COPY service service
COPY workers workers
COPY amigo amigo
USER 10001
# PYTHONPATH is for `amigo keys`, whose script is in another directory.
ENV AMIGO_LISTEN_HOST=0.0.0.0 \
    AMIGO_AUTHENTICATION=keys \
    PYTHONPATH=/app
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/livez', timeout=4)"]
CMD ["python", "-m", "service"]

FROM base AS worker
COPY --from=worker-requirements /opt/venv /opt/venv
# The weights are large and rarely change, so they come before the code.
COPY models/weights models/weights
COPY jobs jobs
COPY media media
COPY models/*.py models/
COPY models/face models/face
COPY models/speech_to_landmarks models/speech_to_landmarks
COPY models/landmarks_to_video models/landmarks_to_video
COPY workers workers
USER 10001
ENV AMIGO_METRICS_HOST=0.0.0.0
EXPOSE 9101
HEALTHCHECK --interval=15s --timeout=10s --start-period=120s \
    CMD ["python", "-m", "workers.synthesis.health"]
CMD ["python", "-m", "workers.synthesis"]
