# Sourced by the other scripts: where the project is, how to speak, and which
# mirrors, certificates and user a container of this project gets here.
# shellcheck shell=bash

set -euo pipefail
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
export CA_BUNDLE
[ -e "$CA_BUNDLE" ] || fail "CA_BUNDLE=$CA_BUNDLE does not exist" "name a file of PEM certificates, or unset it"

# dockerfile_default NAME: the default of an ARG, which stands only in the Dockerfile.
dockerfile_default() { sed -n "s/^ARG $1=//p" Dockerfile; }

# answers URL: whether something is served there, after one short try.
answers() {
    python3 - "$1" <<'PYTHON' 2>/dev/null
import sys, urllib.request
urllib.request.urlopen(sys.argv[1], timeout=5).close()
PYTHON
}

# choose_mirrors: the dated snapshot where it answers, this machine's own mirror elsewhere.
choose_mirrors() {
    DEBIAN_MIRROR=$(setting DEBIAN_MIRROR)
    DEBIAN_SECURITY_MIRROR=$(setting DEBIAN_SECURITY_MIRROR)
    export DEBIAN_MIRROR DEBIAN_SECURITY_MIRROR
    if [ -n "$DEBIAN_MIRROR" ]; then
        [ -n "$DEBIAN_SECURITY_MIRROR" ] || fail "DEBIAN_MIRROR is set and DEBIAN_SECURITY_MIRROR is not" "set both"
        return
    fi
    DEBIAN_MIRROR=$(dockerfile_default DEBIAN_MIRROR)
    DEBIAN_SECURITY_MIRROR=$(dockerfile_default DEBIAN_SECURITY_MIRROR)
    answers "$DEBIAN_MIRROR/" && return
    say "Debian's dated snapshot does not answer: taking this machine's own mirror, whose packages may be newer"
    DEBIAN_MIRROR=$(machine_mirror Debian)
    DEBIAN_SECURITY_MIRROR=$(machine_mirror Debian-Security)
    [ -n "$DEBIAN_MIRROR" ] && [ -n "$DEBIAN_SECURITY_MIRROR" ] ||
        fail "no Debian mirror is known here" "set DEBIAN_MIRROR and DEBIAN_SECURITY_MIRROR"
}

# short_try COMMAND...: give up on a network that swallows packets.
short_try() {
    if command -v timeout >/dev/null; then timeout 20 "$@"; else "$@"; fi >/dev/null 2>&1
}

# choose_base: the pinned base where it is here or a registry has it, one made from a mirror elsewhere.
choose_base() {
    BASE_IMAGE=$(setting BASE_IMAGE)
    export BASE_IMAGE
    [ -z "$BASE_IMAGE" ] || return 0
    BASE_IMAGE=$(dockerfile_default BASE_IMAGE)
    docker image inspect "$BASE_IMAGE" >/dev/null 2>&1 && return
    # Pulled, so that it is here the next time too, with or without a network.
    short_try docker buildx imagetools inspect "$BASE_IMAGE" && docker pull --quiet "$BASE_IMAGE" >/dev/null && return
    say "no registry answers with ${BASE_IMAGE%@*}: taking a base made from a Debian mirror"
    BASE_IMAGE=repro-env-base:bullseye
    docker image inspect "$BASE_IMAGE" >/dev/null 2>&1 || scripts/base >/dev/null || exit
}

# choose_owner: who the containers run as: the owner of the project folder, unless HOST_UID says.
choose_owner() {
    local uid gid
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

build_image() {
    choose_base
    choose_mirrors
    say "building the image (the first time takes minutes and several GB)"
    docker compose build jupyter >&2 ||
        fail "the image did not build; the lines above say which step failed and why" \
            "mend that and run this again: finished steps are kept"
}
