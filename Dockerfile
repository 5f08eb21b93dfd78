# syntax=docker/dockerfile:1
# The daemon in a container, without root:
#
#   docker build --tag deepmovie .
#   docker run --rm --init --network host deepmovie run rtsp://camera/live
#
# and closed as tightly as the service of systemd is, with a GPU, its settings and its folders:
#
#   docker run --rm --init --network host --gpus all --cap-drop ALL --security-opt no-new-privileges --read-only \
#     --tmpfs /tmp --volume deepmovie-cache:/var/cache/deepmovie --volume deepmovie:/var/lib/deepmovie \
#     --volume ./door.toml:/etc/deepmovie/door.toml:ro --env-file door.env deepmovie run --config /etc/deepmovie/door.toml
#
# The host's network, because the page (8016) and the painted frames (5556) are for the same machine: the daemon refuses to
# listen where others can reach it, until the settings say how it knows them (http.token, ZeroMQ keys).
# The wheels bring CUDA: all that the host must have is its driver and the NVIDIA container toolkit.

FROM python:3.13-slim AS build
WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY models models
COPY protocols protocols
COPY streamer streamer
COPY systemd systemd
# Several gigabytes, kept between builds.
ENV PIP_CACHE_DIR=/var/cache/pip
RUN --mount=type=cache,target=/var/cache/pip \
    python -m venv /opt/deepmovie && /opt/deepmovie/bin/pip install .

FROM python:3.13-slim
RUN useradd --system --uid 10001 --home-dir /var/lib/deepmovie deepmovie \
    && install --directory --owner=deepmovie /var/lib/deepmovie /var/cache/deepmovie
COPY --from=build /opt/deepmovie /opt/deepmovie
# The folders are called as systemd calls them, so that the daemon finds them in the same way.
ENV PATH=/opt/deepmovie/bin:$PATH \
    HOME=/var/lib/deepmovie \
    XDG_CACHE_HOME=/var/cache/deepmovie \
    CACHE_DIRECTORY=/var/cache/deepmovie \
    STATE_DIRECTORY=/var/lib/deepmovie \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONFAULTHANDLER=1
USER 10001
WORKDIR /var/lib/deepmovie
EXPOSE 5556 8016
# At the start, weights are loaded and a painting is painted.
HEALTHCHECK --start-period=120s --interval=10s --timeout=5s --retries=3 \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8016/healthz', timeout=4)"]
ENTRYPOINT ["deepmovie"]
CMD ["run"]
