#!/bin/bash
# What the smallest program pays: system calls, resident memory, address space. Both runs differ in LD_PRELOAD alone.
. "$(dirname "$0")/../lib/tap.sh"

library=$(realpath "$ASHLAR_BUILD/libashlar.so.1")
peak=$ASHLAR_BUILD/tests/abi/peak
rounds=15

plain=(-u LD_PRELOAD)
preloaded=(LD_PRELOAD="$library")

# System calls of /bin/true in the environment given; the calls themselves go to $folder/NAME.
system_calls() {
    local name=$1
    shift
    strace -o "$folder/$name" -E "$@" /bin/true || return
    grep -c '^[a-z]' "$folder/$name"
}

few_system_calls() {
    local without with
    without=$(system_calls without LD_PRELOAD) || return
    with=$(system_calls with LD_PRELOAD="$library") || return
    at_most "more system calls" 8 $((with - without)) && grep -q "$library" "$folder/with" && return
    diff <(sed 's/(.*//' "$folder/without") <(sed 's/(.*//' "$folder/with")
    return 1
}

# Median of `rounds` runs of the numbers in column $1, in KiB, for a command in the environment given.
median_kib() {
    local column=$1 round
    shift
    for ((round = 0; round < rounds; round++)); do
        env "$@" || return
    done | awk -v column="$column" '{ print $column }' | sort -n | sed -n "$((rounds / 2 + 1))p"
}

# The difference that the library makes for a command, checked against a limit in KiB.
costs_at_most() {
    local column=$1 limit=$2 name=$3 without with
    shift 3
    without=$(median_kib "$column" "${plain[@]}" "$@") || return
    with=$(median_kib "$column" "${preloaded[@]}" "$@") || return
    echo "$without KiB without, $with KiB with"
    [ "$without" -gt 0 ] && at_most "KiB more of $name" "$limit" $((with - without))
}

plan 3
check "at most 8 system calls more for /bin/true" few_system_calls
check "at most 0.5 MB more resident memory for /bin/true" costs_at_most 1 488 "resident memory" "$peak" /bin/true
check "at most 40 MB more address space for an idle program" costs_at_most 2 39062 "address space" "$peak" /bin/sleep 0
