# Sourced by the other scripts: where the project is, how to speak, and which
# mirrors, certificates and user a container of this project gets here.
# shellcheck shell=bash

set -euo pipefail
CALLED_FROM=$PWD
PROJECT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$PROJECT"

say() { printf '==> %s\n' "$*" >&2; }

# fail WHAT ADVICE: one line of error, one of advice, status 2.
fail() {
    printf 'error: %s\n  what to do: %s\n' "$1" "$2" >&2
    exit 2
}

# usage FILE: the comment that opens a script is its help.
usage() { sed -n '2,/^$/{/^#/s/^# \{0,1\}//p}' "$1"; }

unknown_option() {
    printf 'error: unknown option %s\n' "$1" >&2
    usage "$0" >&2
    exit 2
}

# from_here PATH: a path as the caller meant it, who may stand in another folder.
from_here() { case $1 in /*) echo "$1" ;; *) echo "$CALLED_FROM/$1" ;; esac }

# setting NAME [DEFAULT]: a variable's value as compose sees it: the environment's, else that of .env.
setting() {
    local value=${!1:-}
    if [ -z "$value" ] && [ -f .env ]; then
        value=$(sed -nE "s/\r$//; s/^(export +)?$1=//p" .env | tail -n 1 | sed -E "s/ +#.*//; s/^(['\"])(.*)\\1$/\\2/")
    fi
    printf '%s\n' "${value:-${2:-}}"
}

engine_answers() { docker info >/dev/null 2>&1; }

require_engine() {
    if docker info 2>&1 | grep -qi 'permission denied'; then
        fail "Docker answers, but not to $(id -un)" "join the docker group (sudo usermod -aG docker $(id -un), log in again), or use sudo"
    fi
    engine_answers || fail "no Docker engine answers" \
        "start yours, or let one be installed: ./scripts/up --install-engine"
    docker compose version >/dev/null 2>&1 || fail "this Docker has no compose plug-in" \
        "install docker-compose-plugin (Docker's packages) or docker-compose-v2 (Ubuntu)"
    docker buildx version >/dev/null 2>&1 || fail "this Docker has no buildx plug-in" \
        "install docker-buildx-plugin (Docker's packages) or docker-buildx (Debian, Ubuntu)"
    local version
    version=$(docker version -f '{{.Server.Version}}')
    [ "${version%%.*}" -ge 25 ] || fail "this Docker engine is $version, and too old" "install 25 or newer"
}

# machine_mirror LABEL: where this machine's own apt fetches LABEL (Debian, Debian-Security).
machine_mirror() {
    command -v apt-get >/dev/null || return 0
    # shellcheck disable=SC2016  # apt expands $(SITE), not the shell
    apt-get indextargets --format '$(SITE)' "Label: $1" 2>/dev/null | head -n 1
}

# A proxy that re-signs TLS needs its own certificates inside the build.
CA_BUNDLE=$(setting CA_BUNDLE "${PIP_CERT:-${SSL_CERT_FILE:-/dev/null}}")
case $CA_BUNDLE in /*) ;; *) CA_BUNDLE=$PROJECT/$CA_BUNDLE ;; esac # docker takes another for a volume's name
export CA_BUNDLE
[ -e "$CA_BUNDLE" ] || fail "CA_BUNDLE=$CA_BUNDLE does not exist" "name a file of PEM certificates, or unset it"

# locked WORD: what the stack's lock says after WORD (base, snapshot, builder, python).
locked() { sed -n "s/^$1 //p" "stacks/$STACK.lock"; }

# choose_stack [NAME]: the stack that NAME, STACK or .env names; tf is the default.
choose_stack() {
    STACK=${1:-$(setting STACK tf)}
    export STACK
    [ -f "stacks/$STACK.packages" ] ||
        fail "there is no stack $STACK" "choose one of: $(cd stacks && echo *.packages | sed 's/\.packages//g')"
}

# answers URL: whether something is served there, after one short try.
answers() {
    python3 - "$1" <<'PYTHON' 2>/dev/null
import sys, urllib.request
urllib.request.urlopen(sys.argv[1], timeout=5).close()
PYTHON
}

# choose_mirrors SNAPSHOT: Debian's archive as it was then where it answers, this machine's own mirror elsewhere.
choose_mirrors() {
    local archive=http://snapshot.debian.org/archive
    DEBIAN_MIRROR=$(setting DEBIAN_MIRROR)
    DEBIAN_SECURITY_MIRROR=$(setting DEBIAN_SECURITY_MIRROR)
    export DEBIAN_MIRROR DEBIAN_SECURITY_MIRROR
    if [ -n "$DEBIAN_MIRROR" ]; then
        [ -n "$DEBIAN_SECURITY_MIRROR" ] || fail "DEBIAN_MIRROR is set and DEBIAN_SECURITY_MIRROR is not" "set both"
        return
    fi
    DEBIAN_MIRROR=$archive/debian/$1
    DEBIAN_SECURITY_MIRROR=$archive/debian-security/$1
    answers "$DEBIAN_MIRROR/" && return
    if [ -z "$(machine_mirror Debian)" ] || [ -z "$(machine_mirror Debian-Security)" ]; then
        say "Debian's dated snapshot does not answer, and this machine knows no other mirror (DEBIAN_MIRROR, DEBIAN_SECURITY_MIRROR)"
        return # what is built already needs none
    fi
    say "Debian's dated snapshot does not answer: taking this machine's own mirror, whose packages may be newer"
    DEBIAN_MIRROR=$(machine_mirror Debian)
    DEBIAN_SECURITY_MIRROR=$(machine_mirror Debian-Security)
}

# short_try COMMAND...: give up on a network that swallows packets.
short_try() {
    if command -v timeout >/dev/null; then timeout 20 "$@"; else "$@"; fi >/dev/null 2>&1
}

# pinned_base: the stack's base, which stands only in the Dockerfile: NAME:TAG@sha256:DIGEST.
pinned_base() { sed -n "s/^FROM \(.*\) AS base-$STACK$/\1/p" Dockerfile; }

# choose_base: the pinned base where it is here or a registry has it, one made from a mirror elsewhere.
# Leaves its name in BASE, and in BASE_IMAGE where it is not the Dockerfile's own.
choose_base() {
    local suite
    BASE=$(setting BASE_IMAGE)
    unset BASE_IMAGE BASE_DIGEST
    if [ -z "$BASE" ]; then
        BASE=$(pinned_base)
        docker image inspect "$BASE" >/dev/null 2>&1 && return
        # Pulled, so that it is here the next time too, with or without a network.
        if short_try docker buildx imagetools inspect "$BASE"; then
            docker pull --quiet --platform linux/amd64 "$BASE" >/dev/null && return
            fail "$BASE could not be pulled, though its registry answers" "try again; docker's own line above says why"
        fi
        suite=${BASE#*:} suite=${suite%%-*}
        say "no registry answers with ${BASE%@*}: taking a base made from a Debian mirror"
        BASE=repro-env-base:$suite
        docker image inspect "$BASE" >/dev/null 2>&1 || scripts/base --suite "$suite" >/dev/null || exit
    fi
    BASE_IMAGE=$BASE
    BASE_DIGEST=$(docker image inspect -f '{{index .RootFS.Layers 0}}' "$BASE" 2>/dev/null) || BASE_DIGEST=
    export BASE_IMAGE BASE_DIGEST
}

# What the image is made of. Commits that touch nothing of it leave the image as it is.
IMAGE_SOURCES=(Dockerfile .dockerignore docker repro_env repro_env.pth requirements.txt requirements/torch.txt stacks LICENSE pyproject.toml)

# project_git COMMAND...: also where root works on a checkout that belongs to somebody else.
project_git() { git -c safe.directory="$PROJECT" "$@"; }

# choose_source: unless the environment names them, the last commit that touched the image's sources, and its time.
choose_source() {
    local found
    [ -z "${SOURCE_COMMIT:-}" ] || return 0
    SOURCE_COMMIT=unknown
    SOURCE_DATE_EPOCH=$(python3 -c 'import calendar, sys, time
print(calendar.timegm(time.strptime(sys.argv[1], "%Y%m%dT%H%M%SZ")))' "$(locked snapshot)")
    found=$(project_git log -1 --format='%H %ct' -- "${IMAGE_SOURCES[@]}" 2>/dev/null) || found=
    if [ -n "$found" ]; then # else no git, or no commit yet
        read -r SOURCE_COMMIT SOURCE_DATE_EPOCH <<<"$found"
        [ -z "$(project_git status --porcelain -- "${IMAGE_SOURCES[@]}")" ] || SOURCE_COMMIT+=-changed
        [ "$(project_git rev-parse --is-shallow-repository)" = false ] ||
            say "this clone is shallow, so the image may name a later commit than its own, and have another digest"
    fi
    SOURCE_URL=$(setting SOURCE_URL)
    export SOURCE_COMMIT SOURCE_DATE_EPOCH SOURCE_URL
}

# choose_owner: who the containers run as: the owner of the project folder, unless HOST_UID says.
choose_owner() {
    local uid gid
    # shellcheck disable=SC2012  # stat's options differ between systems; the name is not read
    read -r uid gid < <(ls -nd . | awk '{ print $3, $4 }')
    # The image can name groups from 500 on, and 100; macOS's staff is 20, and there the group is moot.
    if [ "$uid" != 0 ] && [ "$gid" -lt 500 ] && [ "$gid" != 100 ]; then gid=$uid; fi
    HOST_UID=$(setting HOST_UID "$uid")
    HOST_GID=$(setting HOST_GID "$gid")
    COMPOSE_FILE=$(setting COMPOSE_FILE docker-compose.yml)
    [ "$COMPOSE_FILE" != docker-compose.yml ] || [ ! -e docker-compose.override.yml ] || COMPOSE_FILE+=:docker-compose.override.yml
    export HOST_UID HOST_GID COMPOSE_FILE
    if [ "$HOST_UID" = 0 ]; then
        say "the owner is root: the services run as root without capabilities (docker-compose.root.yml)"
        add_compose_file docker-compose.root.yml
    fi
}

add_compose_file() {
    case ":$COMPOSE_FILE:" in
        *":$1:"*) ;;
        *) COMPOSE_FILE+=:$1 ;;
    esac
}

choose_gpu() {
    # shellcheck disable=SC2016  # docker's template, not the shell's
    if docker info -f '{{range $name, $_ := .Runtimes}}{{$name}} {{end}}' | grep -qw nvidia; then
        say "GPU: yes, Docker has the nvidia runtime (docker-compose.gpu.yml)"
        add_compose_file docker-compose.gpu.yml
    else
        say "GPU: no, Docker has no nvidia runtime; running on the CPU"
    fi
}

# bake OPTION...: build what the compose file describes. Newer versions ask before they read a
# file outside the project, such as the certificates.
bake() {
    BUILDX_BAKE_ENTITLEMENTS_FS=0 docker buildx bake --file docker-compose.yml --load --provenance=false "$@" jupyter
}

# build_image NAME [OPTION...]: build the stack's image as the compose file says. Not by compose itself,
# which writes the project's name into the image, so that each folder would get another one.
build_image() {
    local name=$1
    shift
    choose_base
    choose_mirrors "$(locked snapshot)"
    choose_source
    say "building the image of the $STACK stack (the first time takes minutes and several GB)"
    bake --set "jupyter.tags=$name" "$@" >&2 ||
        fail "the image did not build; the lines above say which step failed and why" \
            "mend that and run this again: finished steps are kept"
    name_drift "$name"
}

# restore_image FOLDER: the image that scripts/image --save kept there, or one built from what it kept.
restore_image() {
    local kept=$1
    [ -f "$kept/saved.json" ] || fail "$kept holds no saved image" "make one where there is a network: scripts/image --save FOLDER"
    [ "$STACK" = "$(json "$kept/saved.json" stack)" ] ||
        fail "$kept holds the $(json "$kept/saved.json" stack) stack, not $STACK" "name it: --stack $(json "$kept/saved.json" stack)"
    say "checking the saved image of the $STACK stack"
    python3 scripts/sums.py check "$kept" ||
        fail "$kept is not what was saved; the lines above name each file" "copy it again from where it was saved"
    say "loading it"
    docker load --quiet --input "$kept/image.tar" >/dev/null
    choose_source
    case $SOURCE_COMMIT in
        unknown) say "this folder has no git, so the saved image is taken as it is"; return ;;
        *-changed) ;;
        "$(json "$kept/saved.json" revision)") return ;;
    esac
    say "this checkout makes another image than the saved one: building it from what was saved"
    docker load --quiet --input "$kept/base.tar" >/dev/null
    BASE_IMAGE=$(json "$kept/saved.json" base)
    DEBIAN_MIRROR=saved DEBIAN_SECURITY_MIRROR=saved
    export BASE_IMAGE DEBIAN_MIRROR DEBIAN_SECURITY_MIRROR
    build_image "repro-env:$STACK" --set "jupyter.contexts.saved=$kept/packages"
}

# json FILE KEY...: one value of a JSON file.
json() {
    python3 -c 'import functools, json, sys
print(functools.reduce(lambda value, key: value[key], sys.argv[2:], json.load(open(sys.argv[1]))))' "$@"
}

# build_resolver: the image in which Python locks are resolved and wheels fetched.
build_resolver() {
    local log
    log=$(mktemp)
    bake --set jupyter.target=resolver --set "jupyter.tags=repro-env-resolver:$STACK" >"$log" 2>&1 || {
        cat "$log" >&2
        rm "$log"
        fail "the image that resolves the Python locks did not build; the lines above say why" "mend that and run this again"
    }
    rm "$log"
}

# name_drift IMAGE: say which Debian packages of it are not the locked ones.
name_drift() {
    docker run --rm --network none --entrypoint cat "$1" /etc/repro/image.json | python3 -c '
import json, sys
for one in json.load(sys.stdin)["os_packages"]["drifted"]:
    print("==> os packages: drifted: {name} is {installed}, locked {locked}".format(**one), file=sys.stderr)'
}

# The tools of requirements/dev.txt in .venv, made anew when the lock changes.
make_venv() {
    cmp -s requirements/dev.txt .venv/lock.txt && return
    say "installing the tools of requirements/dev.txt into .venv"
    python3 -m venv --clear .venv || fail "python3 can't make a virtual environment" "install python3-venv, or use --install-engine"
    .venv/bin/python -m pip --quiet --disable-pip-version-check install --require-hashes --no-deps -r requirements/dev.txt
    cp requirements/dev.txt .venv/lock.txt
}
