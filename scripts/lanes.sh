# Sourced by scripts/test: parts of it side by side, which leave nothing behind.
# shellcheck shell=bash

# open_lanes: a folder for what is printed side by side, $OUTPUT, that goes with all jobs at the end.
open_lanes() {
    OUTPUT=$(mktemp -d)
    trap end_jobs EXIT
    set -m # a process group for each job, so that all of it can be ended
}

# end_jobs: end what still runs beside this, as Ctrl-C does, and wait until it has cleaned up.
end_jobs() {
    local job
    for job in $(jobs -p); do kill -INT -- "-$job" 2>/dev/null || true; done
    wait
    rm -rf "$OUTPUT"
}

# lane PART... -- [PYTEST ARGUMENT...]: what needs an image, one after the other, also where one fails.
lane() {
    local part parts=() result status=0
    trap 'exit 130' INT # also where what runs handles it, as pytest does, and only fails
    while [ "$1" != -- ]; do parts+=("$1"); shift; done
    shift
    for part in "${parts[@]}"; do
        set +e # not `||`, under which an error within the part would not end it
        (set -e; "${part% *}_tests" "${part#* }" "$@")
        result=$?
        set -e
        # 5: the arguments choose no test of this part
        if [ $# -gt 0 ] && [ "$result" = 5 ]; then result=0; fi
        if [ "$result" != 0 ]; then status=1; fi
    done
    return "$status"
}
