# One file for every stack: STACK chooses the base, the Debian packages and the Python packages.
# Layers stand in the order of how seldom they change, so that a new package in
# requirements.in never touches the gigabytes of CUDA libraries and frameworks.
#
# Any two builds of a commit are the same bit for bit, whoever makes them, whenever:
# - Each step that writes into the image ends with `settle`, which gives what it wrote one fixed time.
# - All that a step needs is mounted below /mnt, in memory: a mount makes a file to stand on, and a
#   folder that changes and changes back is in the layer or not, as the engine pleases. So is /tmp.
# - Files are installed from a mount and never copied: a copy keeps the times of the checkout.

ARG STACK=tf
ARG BASE_IMAGE=base-${STACK}

FROM debian:bullseye-slim@sha256:f313b4bd62667092a59b3a664d7d3ab8b5e65f41675f48e81455a15dc5abe792 AS base-tf
FROM debian:bookworm-slim@sha256:abd67ffcfa541b485a3dff59865ab629aa048a6c613e639d36e7456b0b229241 AS base-torch

# What `scripts/image --save` kept, where a build without a network is given it; else nothing.
FROM scratch AS saved


# ---- what the steps below are made with
FROM scratch AS tools
COPY --chmod=755 docker/apt-install docker/apt-sources docker/compile docker/describe docker/pip-install docker/settle /


# ---- what the operating system's layers are locked to
FROM ${BASE_IMAGE} AS os-lock
ARG STACK
COPY stacks/${STACK}.lock stacks/${STACK}.packages docker/packages.txt /stack/
RUN set -eux; \
    cd /stack; \
    grep -E '^(snapshot|os) ' ./*.lock >os.lock; \
    grep -E '^(snapshot|os|yours) ' ./*.lock >yours.lock; \
    mv ./*.packages os.packages; mv packages.txt yours.packages


# ---- the operating system: also what scripts/lock resolves the Python locks in
FROM ${BASE_IMAGE} AS os
ARG BASE_IMAGE
RUN --mount=type=tmpfs,target=/tmp \
    --mount=type=tmpfs,target=/mnt \
    --mount=type=bind,from=tools,target=/mnt/tools \
    --mount=type=bind,from=os-lock,source=/stack/os.lock,target=/mnt/os.lock \
    --mount=type=bind,from=os-lock,source=/stack/os.packages,target=/mnt/os.packages \
    --mount=type=bind,from=saved,target=/mnt/saved \
    --mount=type=secret,id=ca,target=/mnt/ca.crt \
    --mount=type=secret,id=debian_mirror,target=/mnt/debian_mirror \
    --mount=type=secret,id=debian_security_mirror,target=/mnt/debian_security_mirror \
    set -eux; \
    PATH=/mnt/tools:$PATH; \
    apt-install /mnt/os.lock /mnt/os.packages; \
    rm -f /etc/ssh/ssh_host_*; \
    git --version; python3 --version; tini --version; tmux -V; ssh -V; \
    settle


# ---- where scripts/lock resolves the Python locks: needs no lock itself
FROM ${BASE_IMAGE} AS tool-lock
COPY requirements.txt /
RUN grep -oE '^(build|click|importlib-metadata|packaging|pip|pip-tools|pyproject-hooks|setuptools|tomli|wheel|zipp)==[^ ]+' \
        requirements.txt >tools.txt

FROM ${BASE_IMAGE} AS resolver
COPY --from=tool-lock tools.txt /
# hadolint ignore=DL3008  # only its Python counts, and the release decides that
RUN --mount=type=bind,from=tools,target=/mnt/tools \
    --mount=type=secret,id=ca,target=/mnt/ca.crt \
    --mount=type=secret,id=debian_mirror,target=/mnt/debian_mirror \
    --mount=type=secret,id=debian_security_mirror,target=/mnt/debian_security_mirror \
    set -eux; \
    [ ! -s /mnt/ca.crt ] || export PIP_CERT=/mnt/ca.crt; \
    /mnt/tools/apt-sources "$(cat /mnt/debian_mirror)" "$(cat /mnt/debian_security_mirror)"; \
    DEBIAN_FRONTEND=noninteractive apt-get -qq -y install --no-install-recommends ca-certificates python3 python3-venv; \
    python3 -m venv /opt/resolver; \
    /opt/resolver/bin/pip install -q "$(grep ^pip== tools.txt)"; \
    /opt/resolver/bin/pip install -q -c tools.txt pip-tools


# ---- the Python lock, one file a layer
FROM os AS split
ARG STACK
COPY docker/prove docker/split-lock /lock/
COPY requirements.txt /lock/tf.txt
COPY requirements/torch.txt /lock/torch.txt
RUN set -eux; \
    cd /lock; \
    mv ${STACK}.txt requirements.txt; \
    mkdir layers; \
    ./split-lock requirements.txt layers; \
    chmod -R a+rX /lock


# ---- the Python environment
FROM os AS environment
ENV VIRTUAL_ENV=/opt/venv PATH=/opt/venv/bin:$PATH
# Debian's own pip, straight from its wheel, fetches the locked one.
RUN --mount=type=tmpfs,target=/tmp \
    --mount=type=tmpfs,target=/mnt \
    --mount=type=bind,from=tools,target=/mnt/tools \
    --mount=type=bind,from=split,source=/lock/layers/pip.txt,target=/mnt/pip.txt \
    --mount=type=cache,target=/mnt/cache \
    --mount=type=bind,from=saved,target=/mnt/saved \
    --mount=type=secret,id=ca,target=/mnt/ca.crt \
    set -eux; \
    PATH=/mnt/tools:$PATH; \
    python3 -m venv --without-pip "$VIRTUAL_ENV"; \
    PYTHONPATH=$(echo /usr/share/python-wheels/pip-*.whl) pip-install --require-hashes -r /mnt/pip.txt; \
    pip --version
RUN --mount=type=tmpfs,target=/tmp \
    --mount=type=tmpfs,target=/mnt \
    --mount=type=bind,from=tools,target=/mnt/tools \
    --mount=type=bind,from=split,source=/lock/layers/cuda.txt,target=/mnt/cuda.txt \
    --mount=type=cache,target=/mnt/cache \
    --mount=type=bind,from=saved,target=/mnt/saved \
    --mount=type=secret,id=ca,target=/mnt/ca.crt \
    set -eux; \
    PATH=/mnt/tools:$PATH; \
    pip-install --require-hashes -r /mnt/cuda.txt; \
    mkdir "$VIRTUAL_ENV/lib/cuda"; \
    find "$VIRTUAL_ENV" -path '*/nvidia/*/lib/*.so*' -exec ln -s -t "$VIRTUAL_ENV/lib/cuda" '{}' +; \
    settle
RUN --mount=type=tmpfs,target=/tmp \
    --mount=type=tmpfs,target=/mnt \
    --mount=type=bind,from=tools,target=/mnt/tools \
    --mount=type=bind,from=split,source=/lock/layers/frameworks.txt,target=/mnt/frameworks.txt \
    --mount=type=cache,target=/mnt/cache \
    --mount=type=bind,from=saved,target=/mnt/saved \
    --mount=type=secret,id=ca,target=/mnt/ca.crt \
    PATH=/mnt/tools:$PATH; pip-install --require-hashes -r /mnt/frameworks.txt
RUN --mount=type=tmpfs,target=/tmp \
    --mount=type=tmpfs,target=/mnt \
    --mount=type=bind,from=tools,target=/mnt/tools \
    --mount=type=bind,from=split,source=/lock/layers/libraries.txt,target=/mnt/libraries.txt \
    --mount=type=cache,target=/mnt/cache \
    --mount=type=bind,from=saved,target=/mnt/saved \
    --mount=type=secret,id=ca,target=/mnt/ca.crt \
    PATH=/mnt/tools:$PATH; pip-install --require-hashes -r /mnt/libraries.txt
RUN --mount=type=tmpfs,target=/tmp \
    --mount=type=tmpfs,target=/mnt \
    --mount=type=bind,from=tools,target=/mnt/tools \
    --mount=type=bind,from=split,source=/lock/layers/rest.txt,target=/mnt/rest.txt \
    --mount=type=cache,target=/mnt/cache \
    --mount=type=bind,from=saved,target=/mnt/saved \
    --mount=type=secret,id=ca,target=/mnt/ca.crt \
    PATH=/mnt/tools:$PATH; pip-install --require-hashes -r /mnt/rest.txt


# ---- our own wheel
FROM environment AS wheel
COPY LICENSE pyproject.toml repro_env.pth /src/
COPY repro_env /src/repro_env
RUN PIP_DISABLE_PIP_VERSION_CHECK=1 pip wheel --no-index --no-deps --no-build-isolation --wheel-dir /dist /src


# ---- the image
FROM environment AS image
ARG BASE_IMAGE
RUN --mount=type=tmpfs,target=/tmp \
    --mount=type=tmpfs,target=/mnt \
    --mount=type=bind,from=tools,target=/mnt/tools \
    --mount=type=bind,from=os-lock,source=/stack/yours.lock,target=/mnt/yours.lock \
    --mount=type=bind,from=os-lock,source=/stack/yours.packages,target=/mnt/yours.packages \
    --mount=type=bind,from=saved,target=/mnt/saved \
    --mount=type=secret,id=ca,target=/mnt/ca.crt \
    --mount=type=secret,id=debian_mirror,target=/mnt/debian_mirror \
    --mount=type=secret,id=debian_security_mirror,target=/mnt/debian_security_mirror \
    PATH=/mnt/tools:$PATH; apt-install /mnt/yours.lock /mnt/yours.packages

RUN --mount=type=tmpfs,target=/tmp \
    --mount=type=tmpfs,target=/mnt \
    --mount=type=bind,from=tools,target=/mnt/tools \
    --mount=type=bind,from=wheel,source=/dist,target=/mnt/dist \
    set -eux; \
    PATH=/mnt/tools:$PATH; \
    pip-install --no-index /mnt/dist/*.whl; \
    pip check

# Any uid gets a name, a home and a place for both: what the entrypoint writes needs no root.
RUN --mount=type=tmpfs,target=/tmp \
    --mount=type=tmpfs,target=/mnt \
    --mount=type=bind,source=docker,target=/mnt/docker \
    set -eux; \
    cd /mnt/docker; \
    install -m 644 profile /etc/; \
    install -m 644 packages.txt sshd_config /etc/repro/; \
    install -m 755 entrypoint start-sshd session-shell healthcheck /usr/local/bin/; \
    install -D -m 644 -t /opt/venv/etc/jupyter jupyter_server_config.py; \
    install -D -m 644 -t /opt/venv/etc/ipython ipython_config.py; \
    mkdir -p /data /run/sshd /var/lib/extrausers /workspace; \
    chmod 1777 /home /var/lib/extrausers; \
    chmod 0777 /workspace; \
    sed -i -E 's/^(passwd|group|shadow):.*files/& extrausers/' /etc/nsswitch.conf; \
    sed -i 's|^root:.*|root:x:0:0:root:/home/repro:/usr/local/bin/session-shell|' /etc/passwd; \
    find / -xdev -type f -perm /6000 -exec chmod ug-s '{}' +; \
    ./settle

# Every door takes its environment from here: what an entrypoint exports never reaches `docker exec`.
# Rendered from repro_env/knobs.py by scripts/knobs.
# knobs: begin
ENV REPRO_SEED=42 \
    PYTHONHASHSEED=0 \
    LC_ALL=C.UTF-8 \
    TZ=UTC \
    REPRO_UNSEEDED=derive \
    TF_DETERMINISTIC_OPS=1 \
    TORCHINDUCTOR_DETERMINISTIC=1 \
    CUBLAS_WORKSPACE_CONFIG=:4096:8 \
    REPRO_PROFILE=repeatable
# knobs: end
ENV HOME=/home/repro \
    JUPYTER_RUNTIME_DIR=/tmp/jupyter-runtime \
    LD_LIBRARY_PATH=/opt/venv/lib/cuda \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility \
    NVIDIA_VISIBLE_DEVICES=all \
    SHELL=/bin/bash

# What the image is made of, for doctor, records and whoever asks.
ARG STACK
ARG BASE_DIGEST=
ARG SOURCE_COMMIT=unknown
ARG SOURCE_URL=
# The build ends by proving itself, as a user will find it.
# Keras writes to HOME when it is imported, and the user's own must not exist yet.
RUN --mount=type=tmpfs,target=/tmp \
    --mount=type=tmpfs,target=/mnt \
    --mount=type=bind,from=tools,target=/mnt/tools \
    --mount=type=bind,source=stacks,target=/mnt/stacks \
    --mount=type=bind,from=split,source=/lock,target=/mnt/lock \
    set -eux; \
    PATH=/mnt/tools:$PATH; \
    describe /mnt/stacks/${STACK}.lock /mnt/lock/requirements.txt; \
    settle; \
    HOME=/tmp TF_CPP_MIN_LOG_LEVEL=2 \
        setpriv --reuid 1000 --regid 1000 --clear-groups python /mnt/lock/prove /mnt/lock/requirements.txt
LABEL org.opencontainers.image.title="repro-env" \
      org.opencontainers.image.description="JupyterLab and SSH on pinned TensorFlow and PyTorch; runs repeat bit for bit" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.source="${SOURCE_URL}" \
      org.opencontainers.image.revision="${SOURCE_COMMIT}" \
      org.opencontainers.image.base.name="${BASE_IMAGE}" \
      org.opencontainers.image.ref.name="${STACK}"

USER 1000:1000
WORKDIR /workspace
EXPOSE 8888 2222
ENTRYPOINT ["tini", "--", "entrypoint"]
CMD ["jupyter"]
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --start-interval=1s --retries=3 CMD ["healthcheck"]
