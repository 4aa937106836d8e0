# shellcheck shell=bash
# What every part of .ci/run uses: one check after the other, and what came of each.

# What passed, what failed, and what was not tested and why; the last line tells.
passed=()
failed=()
untested=()
# What failed beside other tests, and passed alone.
unsteady=()

# Say what is done, and do it. It reads nothing, and a signal need not wait for its end.
step() {
    printf '\n== %s\n' "$*"
    "$@" </dev/null &
    wait $!
}

# bounded SECONDS COMMAND...: as step; what takes longer is killed, with all that it has started.
bounded() {
    local job watch status
    printf '\n== %s\n' "${*:2}"
    "${@:2}" </dev/null &
    job=$!
    { sleep "$1" && kill -KILL -- "-$job"; } &
    watch=$!
    wait "$job"
    status=$?
    kill -TERM -- "-$watch" 2>/dev/null
    return "$status"
}

# run_tests NAME CACHE PYTEST...: by that command, which keeps in CACHE what failed. That is run once
# more, alone: a fault fails again. What passes now hangs on the load of the machine; it is to be
# mended too, and the last line says so.
run_tests() {
    local pytest=("${@:3}" -o "cache_dir=$2") status
    bounded "$longest" "${pytest[@]}"
    status=$?
    ((status == 1)) || return "$status"
    bounded "$longest" "${pytest[@]}" -n 0 --last-failed --last-failed-no-failures none || return
    unsteady+=("$1")
}

# quietly COMMAND...: what checks need; it says nothing unless it fails.
quietly() {
    local log
    log=$(mktemp "$scratch/XXXXXX.log")
    step "$@" >"$log" 2>&1 || { tail -n 40 "$log"; return 1; }
}

# check NAME COMMAND...: the others go on if it fails.
check() {
    if "${@:2}"; then
        passed+=("$1")
    else
        printf '\n== FAILED: %s\n' "$1"
        failed+=("$1")
    fi
}

# skip NAME REASON
skip() {
    printf '\n== Not tested: %s (%s)\n' "$1" "$2"
    untested+=("$1 ($2)")
}

joined() {
    printf '%s' "$1"
    shift
    (($# == 0)) || printf ', %s' "$@"
}

# Print the last line, and tell whether all is well.
conclude() {
    local line
    if ((${#failed[@]})); then
        line="FAILED: $(joined "${failed[@]}"). Passed: $(joined "${passed[@]:-nothing}")."
    else
        line="All checks passed. Tested: $(joined "${passed[@]}")."
    fi
    ((${#unsteady[@]} == 0)) ||
        line+=" With tests that failed beside others and passed alone: $(joined "${unsteady[@]}")."
    ((${#untested[@]} == 0)) || line+=" Not tested: $(joined "${untested[@]}")."
    printf '\n%s\n' "$line"
    ((${#failed[@]} == 0))
}
