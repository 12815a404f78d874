# One file for every stack: BASE_IMAGE and REQUIREMENTS choose it.
# Layers stand in the order of how seldom they change, so that a new package in
# requirements.in never touches the gigabytes of CUDA libraries and frameworks.

ARG BASE_IMAGE=debian:bullseye-slim@sha256:f313b4bd62667092a59b3a664d7d3ab8b5e65f41675f48e81455a15dc5abe792
ARG DEBIAN_MIRROR=http://snapshot.debian.org/archive/debian/20260803T000000Z
ARG DEBIAN_SECURITY_MIRROR=http://snapshot.debian.org/archive/debian-security/20260803T000000Z


# ---- the operating system: also what scripts/lock resolves the lock in
FROM ${BASE_IMAGE} AS os
ARG DEBIAN_MIRROR
ARG DEBIAN_SECURITY_MIRROR
COPY docker/apt-install /usr/local/sbin/apt-install
RUN --mount=type=secret,id=ca,target=/run/ca.crt \
    set -eux; \
    apt-install \
        ca-certificates \
        git \
        less \
        libnss-extrausers \
        nano \
        openssh-client \
        openssh-server \
        procps \
        python3 \
        python3-venv \
        tini \
        tmux \
        tzdata \
    ; \
    rm -f /etc/ssh/ssh_host_*; \
    git --version; python3 --version; tini --version; tmux -V; ssh -V


# ---- the lock, one file a layer
FROM os AS split
ARG REQUIREMENTS=requirements.txt
COPY docker/prove docker/split-lock ${REQUIREMENTS} /lock/
RUN mkdir /lock/layers; /lock/split-lock /lock/*.txt /lock/layers


# ---- the Python environment
FROM os AS environment
ENV VIRTUAL_ENV=/opt/venv PATH=/opt/venv/bin:$PATH
COPY docker/pip-install /usr/local/sbin/pip-install
# Debian's own pip, straight from its wheel, fetches the locked one.
RUN --mount=type=bind,from=split,source=/lock/layers/pip.txt,target=/lock/pip.txt \
    --mount=type=cache,target=/root/.cache/pip \
    --mount=type=secret,id=ca,target=/run/ca.crt \
    set -eux; \
    python3 -m venv --without-pip "$VIRTUAL_ENV"; \
    PYTHONPATH=$(echo /usr/share/python-wheels/pip-*.whl) pip-install --require-hashes -r /lock/pip.txt; \
    pip --version
RUN --mount=type=bind,from=split,source=/lock/layers/cuda.txt,target=/lock/cuda.txt \
    --mount=type=cache,target=/root/.cache/pip \
    --mount=type=secret,id=ca,target=/run/ca.crt \
    set -eux; \
    pip-install --require-hashes -r /lock/cuda.txt; \
    mkdir "$VIRTUAL_ENV/lib/cuda"; \
    find "$VIRTUAL_ENV" -path '*/nvidia/*/lib/*.so*' -exec ln -s -t "$VIRTUAL_ENV/lib/cuda" '{}' +
RUN --mount=type=bind,from=split,source=/lock/layers/frameworks.txt,target=/lock/frameworks.txt \
    --mount=type=cache,target=/root/.cache/pip \
    --mount=type=secret,id=ca,target=/run/ca.crt \
    pip-install --require-hashes -r /lock/frameworks.txt
RUN --mount=type=bind,from=split,source=/lock/layers/rest.txt,target=/lock/rest.txt \
    --mount=type=cache,target=/root/.cache/pip \
    --mount=type=secret,id=ca,target=/run/ca.crt \
    set -eux; \
    pip-install --require-hashes -r /lock/rest.txt; \
    pip check


# ---- our own wheel
FROM environment AS wheel
COPY LICENSE README.md pyproject.toml repro_env.pth /src/
COPY repro_env /src/repro_env
RUN PIP_DISABLE_PIP_VERSION_CHECK=1 pip wheel --no-index --no-deps --no-build-isolation --wheel-dir /dist /src


# ---- the image
FROM environment AS image
ARG DEBIAN_MIRROR
ARG DEBIAN_SECURITY_MIRROR
ARG BASE_IMAGE
COPY docker/packages.txt /etc/repro/packages.txt
RUN --mount=type=secret,id=ca,target=/run/ca.crt \
    set -eux; \
    apt-install $(sed 's/#.*//' /etc/repro/packages.txt)

RUN --mount=type=bind,from=wheel,source=/dist,target=/dist \
    pip-install --no-index /dist/*.whl

# Any uid gets a name, a home and a place for both: what the entrypoint writes needs no root.
COPY --chmod=644 docker/profile /etc/
COPY --chmod=644 docker/sshd_config /etc/repro/
COPY --chmod=755 docker/entrypoint docker/start-sshd docker/session-shell docker/healthcheck /usr/local/bin/
COPY --chmod=644 docker/jupyter_server_config.py /opt/venv/etc/jupyter/
COPY --chmod=644 docker/ipython_config.py /opt/venv/etc/ipython/
RUN set -eux; \
    mkdir -p /data /run/sshd /var/lib/extrausers /workspace; \
    chmod 1777 /home /var/lib/extrausers; \
    chmod 0777 /workspace; \
    sed -i -E 's/^(passwd|group|shadow):.*files/& extrausers/' /etc/nsswitch.conf; \
    sed -i 's|^root:.*|root:x:0:0:root:/home/repro:/usr/local/bin/session-shell|' /etc/passwd; \
    find / -xdev -type f -perm /6000 -exec chmod ug-s '{}' +

# Every door takes its environment from here: what an entrypoint exports never reaches `docker exec`.
# Rendered from repro_env/knobs.py by scripts/knobs.
# knobs: begin
ENV REPRO_SEED=42 \
    PYTHONHASHSEED=0 \
    TF_DETERMINISTIC_OPS=1 \
    CUBLAS_WORKSPACE_CONFIG=:4096:8 \
    LC_ALL=C.UTF-8 \
    TZ=UTC
# knobs: end
ENV HOME=/home/repro \
    JUPYTER_RUNTIME_DIR=/tmp/jupyter-runtime \
    LD_LIBRARY_PATH=/opt/venv/lib/cuda \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility \
    NVIDIA_VISIBLE_DEVICES=all \
    SHELL=/bin/bash

LABEL org.opencontainers.image.title="repro-env" \
      org.opencontainers.image.description="JupyterLab and SSH on pinned TensorFlow and PyTorch; runs repeat bit for bit" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.base.name="${BASE_IMAGE}"

USER 1000:1000
WORKDIR /workspace
# The build ends by proving itself, as a user will find it.
# Keras writes to HOME when it is imported, and the user's own must not exist yet.
RUN --mount=type=bind,from=split,source=/lock,target=/lock \
    set -eux; \
    HOME=$(mktemp -d); \
    TF_CPP_MIN_LOG_LEVEL=2 python /lock/prove /lock/*.txt; \
    rm -r "$HOME"
EXPOSE 8888 2222
ENTRYPOINT ["tini", "--", "entrypoint"]
CMD ["jupyter"]
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --start-interval=1s --retries=3 CMD ["healthcheck"]
