# One file for every stack: STACK chooses the base, the Debian packages and the Python packages.
# Layers stand in the order of how seldom they change, so that a new package in
# requirements.in never touches the gigabytes of CUDA libraries and frameworks.
#
# Each step that writes into the image ends with `settle`, which gives what it wrote one fixed
# time: so any two builds of a commit are the same bit for bit, whoever makes them, whenever.
# That is also why files are installed from a mount and never copied: a copy keeps the times
# of the checkout.

ARG STACK=tf
ARG BASE_IMAGE=base-${STACK}

FROM debian:bullseye-slim@sha256:f313b4bd62667092a59b3a664d7d3ab8b5e65f41675f48e81455a15dc5abe792 AS base-tf
FROM debian:bookworm-slim@sha256:abd67ffcfa541b485a3dff59865ab629aa048a6c613e639d36e7456b0b229241 AS base-torch

# What `scripts/image --save` kept, where a build without a network is given it; else nothing.
FROM scratch AS saved


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
RUN --mount=type=bind,from=os-lock,source=/stack/os.lock,target=/lock/os.lock \
    --mount=type=bind,from=os-lock,source=/stack/os.packages,target=/lock/os.packages \
    --mount=type=bind,source=docker/apt-install,target=/usr/local/sbin/apt-install \
    --mount=type=bind,source=docker/apt-sources,target=/usr/local/sbin/apt-sources \
    --mount=type=bind,source=docker/compile,target=/usr/local/sbin/compile \
    --mount=type=bind,source=docker/settle,target=/usr/local/sbin/settle \
    --mount=type=bind,from=saved,target=/saved \
    --mount=type=secret,id=ca,target=/run/ca.crt \
    --mount=type=secret,id=debian_mirror \
    --mount=type=secret,id=debian_security_mirror \
    set -eux; \
    apt-install /lock/os.lock /lock/os.packages; \
    rm -f /etc/ssh/ssh_host_*; \
    git --version; python3 --version; tini --version; tmux -V; ssh -V; \
    settle


# ---- where scripts/lock resolves the Python locks: needs no lock itself
FROM ${BASE_IMAGE} AS tool-lock
COPY requirements.txt /
RUN grep -oE '^(build|click|importlib-metadata|packaging|pip|pip-tools|pyproject-hooks|setuptools|tomli|wheel|zipp)==[^ ]+' \
        requirements.txt >tools.txt

FROM ${BASE_IMAGE} AS resolver
COPY docker/apt-sources /usr/local/sbin/
COPY --from=tool-lock tools.txt /
# hadolint ignore=DL3008  # only its Python counts, and the release decides that
RUN --mount=type=secret,id=ca,target=/run/ca.crt \
    --mount=type=secret,id=debian_mirror \
    --mount=type=secret,id=debian_security_mirror \
    set -eux; \
    [ ! -s /run/ca.crt ] || export PIP_CERT=/run/ca.crt; \
    apt-sources "$(cat /run/secrets/debian_mirror)" "$(cat /run/secrets/debian_security_mirror)"; \
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
RUN --mount=type=bind,from=split,source=/lock/layers/pip.txt,target=/lock/pip.txt \
    --mount=type=bind,source=docker/pip-install,target=/usr/local/sbin/pip-install \
    --mount=type=bind,source=docker/compile,target=/usr/local/sbin/compile \
    --mount=type=bind,source=docker/settle,target=/usr/local/sbin/settle \
    --mount=type=bind,from=saved,target=/saved \
    --mount=type=cache,target=/root/.cache/pip \
    --mount=type=secret,id=ca,target=/run/ca.crt \
    set -eux; \
    python3 -m venv --without-pip "$VIRTUAL_ENV"; \
    PYTHONPATH=$(echo /usr/share/python-wheels/pip-*.whl) pip-install --require-hashes -r /lock/pip.txt; \
    pip --version
RUN --mount=type=bind,from=split,source=/lock/layers/cuda.txt,target=/lock/cuda.txt \
    --mount=type=bind,source=docker/pip-install,target=/usr/local/sbin/pip-install \
    --mount=type=bind,source=docker/compile,target=/usr/local/sbin/compile \
    --mount=type=bind,source=docker/settle,target=/usr/local/sbin/settle \
    --mount=type=bind,from=saved,target=/saved \
    --mount=type=cache,target=/root/.cache/pip \
    --mount=type=secret,id=ca,target=/run/ca.crt \
    set -eux; \
    pip-install --require-hashes -r /lock/cuda.txt; \
    mkdir "$VIRTUAL_ENV/lib/cuda"; \
    find "$VIRTUAL_ENV" -path '*/nvidia/*/lib/*.so*' -exec ln -s -t "$VIRTUAL_ENV/lib/cuda" '{}' +; \
    settle
RUN --mount=type=bind,from=split,source=/lock/layers/frameworks.txt,target=/lock/frameworks.txt \
    --mount=type=bind,source=docker/pip-install,target=/usr/local/sbin/pip-install \
    --mount=type=bind,source=docker/compile,target=/usr/local/sbin/compile \
    --mount=type=bind,source=docker/settle,target=/usr/local/sbin/settle \
    --mount=type=bind,from=saved,target=/saved \
    --mount=type=cache,target=/root/.cache/pip \
    --mount=type=secret,id=ca,target=/run/ca.crt \
    pip-install --require-hashes -r /lock/frameworks.txt
RUN --mount=type=bind,from=split,source=/lock/layers/libraries.txt,target=/lock/libraries.txt \
    --mount=type=bind,source=docker/pip-install,target=/usr/local/sbin/pip-install \
    --mount=type=bind,source=docker/compile,target=/usr/local/sbin/compile \
    --mount=type=bind,source=docker/settle,target=/usr/local/sbin/settle \
    --mount=type=bind,from=saved,target=/saved \
    --mount=type=cache,target=/root/.cache/pip \
    --mount=type=secret,id=ca,target=/run/ca.crt \
    pip-install --require-hashes -r /lock/libraries.txt
RUN --mount=type=bind,from=split,source=/lock/layers/rest.txt,target=/lock/rest.txt \
    --mount=type=bind,source=docker/pip-install,target=/usr/local/sbin/pip-install \
    --mount=type=bind,source=docker/compile,target=/usr/local/sbin/compile \
    --mount=type=bind,source=docker/settle,target=/usr/local/sbin/settle \
    --mount=type=bind,from=saved,target=/saved \
    --mount=type=cache,target=/root/.cache/pip \
    --mount=type=secret,id=ca,target=/run/ca.crt \
    pip-install --require-hashes -r /lock/rest.txt


# ---- our own wheel
FROM environment AS wheel
COPY LICENSE pyproject.toml repro_env.pth /src/
COPY repro_env /src/repro_env
RUN PIP_DISABLE_PIP_VERSION_CHECK=1 pip wheel --no-index --no-deps --no-build-isolation --wheel-dir /dist /src


# ---- the image
FROM environment AS image
ARG BASE_IMAGE
RUN --mount=type=bind,from=os-lock,source=/stack/yours.lock,target=/lock/yours.lock \
    --mount=type=bind,from=os-lock,source=/stack/yours.packages,target=/lock/yours.packages \
    --mount=type=bind,source=docker/apt-install,target=/usr/local/sbin/apt-install \
    --mount=type=bind,source=docker/apt-sources,target=/usr/local/sbin/apt-sources \
    --mount=type=bind,source=docker/compile,target=/usr/local/sbin/compile \
    --mount=type=bind,source=docker/settle,target=/usr/local/sbin/settle \
    --mount=type=bind,from=saved,target=/saved \
    --mount=type=secret,id=ca,target=/run/ca.crt \
    --mount=type=secret,id=debian_mirror \
    --mount=type=secret,id=debian_security_mirror \
    apt-install /lock/yours.lock /lock/yours.packages

RUN --mount=type=bind,from=wheel,source=/dist,target=/dist \
    --mount=type=bind,source=docker/pip-install,target=/usr/local/sbin/pip-install \
    --mount=type=bind,source=docker/compile,target=/usr/local/sbin/compile \
    --mount=type=bind,source=docker/settle,target=/usr/local/sbin/settle \
    set -eux; \
    pip-install --no-index /dist/*.whl; \
    pip check

# Any uid gets a name, a home and a place for both: what the entrypoint writes needs no root.
RUN --mount=type=bind,source=docker,target=/docker \
    set -eux; \
    cd /docker; \
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
    TF_DETERMINISTIC_OPS=1 \
    TORCHINDUCTOR_DETERMINISTIC=1 \
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

# What the image is made of, for doctor, records and whoever asks.
ARG STACK
ARG BASE_DIGEST=
ARG SOURCE_COMMIT=unknown
ARG SOURCE_URL=
RUN --mount=type=bind,source=docker,target=/docker \
    --mount=type=bind,source=stacks,target=/stacks \
    --mount=type=bind,from=split,source=/lock,target=/lock \
    set -eux; \
    /docker/describe /stacks/${STACK}.lock /lock/requirements.txt; \
    /docker/settle
LABEL org.opencontainers.image.title="repro-env" \
      org.opencontainers.image.description="JupyterLab and SSH on pinned TensorFlow and PyTorch; runs repeat bit for bit" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.source="${SOURCE_URL}" \
      org.opencontainers.image.revision="${SOURCE_COMMIT}" \
      org.opencontainers.image.base.name="${BASE_IMAGE}" \
      org.opencontainers.image.ref.name="${STACK}"

USER 1000:1000
WORKDIR /workspace
# The build ends by proving itself, as a user will find it.
# Keras writes to HOME when it is imported, and the user's own must not exist yet.
RUN --mount=type=bind,from=split,source=/lock,target=/lock \
    --mount=type=tmpfs,target=/tmp \
    HOME=/tmp TF_CPP_MIN_LOG_LEVEL=2 python /lock/prove /lock/requirements.txt
EXPOSE 8888 2222
ENTRYPOINT ["tini", "--", "entrypoint"]
CMD ["jupyter"]
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --start-interval=1s --retries=3 CMD ["healthcheck"]
