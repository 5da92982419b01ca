# Kerascope's four images; TensorFlow Serving's own image serves the models (deploy/compose.yaml).
#
#   docker build --target trainer   -t kerascope-trainer .      # train, evaluate, export
#   docker build --target gateway   -t kerascope-gateway .      # gRPC in front of TensorFlow Serving
#   docker build --target dashboard -t kerascope-dashboard .    # no TensorFlow in it
#   docker build --target dicom-node -t kerascope-dicom-node .  # images from the hospital, results back; none either
#
# A trainer for NVIDIA GPUs: --build-arg TRAINER_EXTRAS="train gpu"
# No image holds a model, an image or a secret: they are mounted.
ARG PYTHON_IMAGE=python:3.11-slim-bookworm

FROM ${PYTHON_IMAGE} AS base
ENV PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    PATH=/opt/venv/bin:$PATH \
    HOME=/tmp \
    TF_CPP_MIN_LOG_LEVEL=3
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /tmp --shell /usr/sbin/nologin kerascope

# What each extra of pyproject.toml needs, as one file each: the layers below change only when the needs do.
FROM base AS builder
ENV PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/venv
WORKDIR /src
COPY pyproject.toml constraints.txt ./
RUN python -c "import pathlib, tomllib; \
project = tomllib.loads(pathlib.Path('pyproject.toml').read_text())['project']; \
[pathlib.Path(extra + '.txt').write_text('\n'.join(project['dependencies'] + needs)) \
 for extra, needs in project['optional-dependencies'].items()]"

FROM builder AS trainer-builder
ARG TRAINER_EXTRAS="train"
RUN --mount=type=cache,target=/tmp/.cache/pip \
    pip install -c constraints.txt $(printf -- '-r %s.txt ' ${TRAINER_EXTRAS})
COPY README.md LICENSE kerascope.py ./
COPY zoo zoo
COPY training training
RUN pip install --no-deps .

FROM builder AS gateway-builder
RUN --mount=type=cache,target=/tmp/.cache/pip \
    pip install -c constraints.txt -r serve.txt -r hospital.txt
COPY README.md LICENSE kerascope.py ./
COPY zoo zoo
COPY serving serving
RUN pip install --no-deps .

FROM builder AS dicom-node-builder
RUN --mount=type=cache,target=/tmp/.cache/pip \
    pip install -c constraints.txt -r hospital.txt
COPY README.md LICENSE kerascope.py ./
COPY zoo zoo
COPY serving serving
RUN pip install --no-deps .

FROM builder AS dashboard-builder
RUN --mount=type=cache,target=/tmp/.cache/pip \
    pip install -c constraints.txt -r dashboard.txt
COPY README.md LICENSE kerascope.py ./
COPY zoo zoo
COPY serving serving
COPY dashboard dashboard
RUN pip install --no-deps .

# Mount the data and the folders for runs and bundles under /work, writable by user 10001.
FROM base AS trainer
COPY --from=trainer-builder /opt/venv /opt/venv
COPY training/configs /work/training/configs
WORKDIR /work
USER 10001:10001
# A job, not a service: its exit status says how it went.
HEALTHCHECK NONE
ENTRYPOINT ["kerascope"]
CMD ["--help"]

FROM base AS gateway
COPY --from=gateway-builder /opt/venv /opt/venv
# For the store and the audit trail, which KERASCOPE_STORE and KERASCOPE_AUDIT turn on.
RUN install --directory --mode=700 --owner=10001 --group=10001 /var/lib/kerascope
ENV KERASCOPE_HOST=0.0.0.0 \
    KERASCOPE_PORT=50051 \
    KERASCOPE_REGISTRY=/models
WORKDIR /tmp
USER 10001:10001
# It starts with TLS and tokens only: KERASCOPE_TLS_CERTIFICATE, KERASCOPE_TLS_KEY, KERASCOPE_TOKEN_SECRET name mounted
# files, and KERASCOPE_TLS_CA one for the health check. Prometheus is answered on 9464 where KERASCOPE_METRICS_PORT says so.
EXPOSE 50051 9464
HEALTHCHECK --interval=15s --timeout=10s --start-period=60s --retries=3 \
    CMD ["sh", "-c", "kerascope gateway ready --gateway localhost:$KERASCOPE_PORT"]
ENTRYPOINT ["kerascope"]
CMD ["gateway"]

FROM base AS dicom-node
COPY --from=dicom-node-builder /opt/venv /opt/venv
# A volume that is mounted here takes over whose this is. It holds patients' files until they are answered.
RUN install --directory --mode=700 --owner=10001 --group=10001 /var/lib/kerascope
WORKDIR /tmp
USER 10001:10001
# KERASCOPE_TLS_CA and KERASCOPE_TOKEN_FILE say how it reaches the gateway. 8443 is DICOMweb's where node.toml has [web].
EXPOSE 11112 8443
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import socket; socket.create_connection(('localhost', 11112), timeout=4).close()"]
ENTRYPOINT ["kerascope"]
CMD ["dicom-node", "/etc/kerascope/node.toml"]

FROM base AS dashboard
COPY --from=dashboard-builder /opt/venv /opt/venv
WORKDIR /tmp
USER 10001:10001
EXPOSE 8501
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://localhost:8501/_stcore/health', timeout=4)"]
ENTRYPOINT ["kerascope"]
# It asks nobody who they are unless KERASCOPE_LOGIN_FILE is set: a proxy in front of it does (docs/how-to/run-the-dashboard.md).
CMD ["dashboard", "--host", "0.0.0.0", "--port", "8501", "--no-login"]
