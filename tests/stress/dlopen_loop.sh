#!/bin/sh
# dlopen_loop.sh: modules that are loaded and unloaded a thousand times on our heap, and the library as such a module.
#
# Environment: ASHLAR_BUILD (the build directory), TEST_LONG=1 for ten times as many rounds.
set -u
library=${ASHLAR_BUILD:?the build directory}/libashlar.so
programs=$ASHLAR_BUILD/tests/stress
rounds=1000
[ "${TEST_LONG:-}" = 1 ] && rounds=10000

output=$(mktemp) || exit 1
trap 'rm -f "$output"' EXIT

# expect NAME COMMAND...: the host must come to its end, say so, and say nothing else.
number=0
expect() {
    name=$1
    shift
    number=$((number + 1))
    "$@" >"$output" 2>&1
    status=$?
    if [ "$status" = 0 ] && [ "$(cat "$output")" = "$rounds rounds" ]; then
        echo "ok $number - $name"
    else
        echo "not ok $number - $name"
        echo "#   status $status"
        sed 's/^/#   /' "$output"
    fi
}

echo "TAP version 13"
echo "1..3"
expect modules_come_and_go_on_our_heap \
    env LD_PRELOAD="$library" "$programs/dlopen_host" module "$programs/dlopen_module.so" "$rounds"
expect the_library_is_opened_and_closed_and_threads_end_later \
    "$programs/dlopen_host" library "$library" "$rounds"
expect the_library_is_opened_again_where_it_is_preloaded \
    env LD_PRELOAD="$library" "$programs/dlopen_host" library "$library" "$rounds"
