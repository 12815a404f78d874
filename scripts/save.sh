# Sourced by scripts/image: keep an image and all that it takes to build it again without a network.
# shellcheck shell=bash

# kept_wheels FOLDER: the locked wheels, checked against their hashes.
kept_wheels() {
    local requirements
    requirements=$(locked python)
    requirements=${requirements% *}
    build_resolver
    docker run --rm --mount "type=bind,source=$PROJECT,target=/project,readonly" --mount "type=bind,source=$1,target=/kept" \
        --volume repro-env-lock-cache:/cache --volume "$CA_BUNDLE:/mnt/ca.crt:ro" --env PIP_CACHE_DIR=/cache/pip \
        "repro-env-resolver:$STACK" sh -c '
            [ ! -s /mnt/ca.crt ] || export PIP_CERT=/mnt/ca.crt
            /opt/resolver/bin/pip download --quiet --disable-pip-version-check --no-deps --require-hashes --dest /kept/wheels -r "/project/$1"
            chown -R "$2" /kept' sh "$requirements" "$(id -u):$(id -g)" >&2
}

# kept_debs FOLDER: the Debian packages that the build adds to its base, and apt's index of them.
kept_debs() {
    docker run --rm --mount "type=bind,source=$PROJECT,target=/project,readonly" --mount "type=bind,source=$1,target=/kept" \
        --volume "$CA_BUNDLE:/mnt/ca.crt:ro" "$BASE" sh -ec '
            /project/docker/apt-sources "$1" "$2"
            mkdir -p /kept/debs/partial
            apt-get -qq -y -o Dir::Cache::archives=/kept/debs -o APT::Keep-Downloaded-Packages=true --download-only \
                install --no-install-recommends $(sed "s/#.*//" "/project/stacks/$3.packages" /project/docker/packages.txt) >/dev/null
            rm -rf /kept/debs/partial /kept/debs/lock
            cd /kept/debs
            for deb in *.deb; do
                dpkg-deb --field "$deb"
                printf "Filename: ./%s\nSize: %s\nSHA256: %s\n\n" "$deb" "$(stat -c %s "$deb")" "$(sha256sum "$deb" | cut -d" " -f1)"
            done >Packages
            chown -R "$4" /kept/debs' sh "$DEBIAN_MIRROR" "$DEBIAN_SECURITY_MIRROR" "$STACK" "$(id -u):$(id -g)" >&2
}

# save FOLDER
save() {
    local kept name
    [ ! -e "$1" ] || [ -z "$(ls -A "$1")" ] || fail "$1 is not empty" "name a new folder"
    mkdir -p "$1/packages" || fail "$1 can't be made" "name a folder that you may write to"
    kept=$(cd "$1" && pwd)
    choose_source
    [ "$(docker image inspect -f '{{index .Config.Labels "org.opencontainers.image.revision"}}' "repro-env:$STACK")" = "$SOURCE_COMMIT" ] ||
        fail "repro-env:$STACK is not what this checkout makes" "build it first: scripts/image --stack $STACK"
    choose_base
    choose_mirrors "$(locked snapshot)"
    name=repro-env-base:$STACK-kept # a base pinned by its digest would lose its name
    say "keeping the base and the image"
    docker tag "$BASE" "$name"
    docker save --output "$kept/base.tar" "$name"
    docker image rm "$name" >/dev/null
    docker save --output "$kept/image.tar" "repro-env:$STACK"
    say "keeping the Debian packages"
    kept_debs "$kept/packages"
    say "keeping the wheels (gigabytes)"
    kept_wheels "$kept/packages"
    docker image inspect "repro-env:$STACK" -f '{"stack": "'"$STACK"'", "base": "'"$name"'", "revision": "{{index .Config.Labels "org.opencontainers.image.revision"}}"}' >"$kept/saved.json"
    python3 scripts/sums.py write "$kept"
    say "saved $(du -sh "$kept" | cut -f1); to use it, with or without a network: scripts/up --from $kept"
}
