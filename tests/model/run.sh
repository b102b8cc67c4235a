#!/bin/bash
# remote.pml is safe in every order of steps, and Spin finds the accident when a rule of the protocol is taken away: a
# model that nothing can break would show nothing. MODEL_STEPS sets how many steps the threads do (default 3; 4 takes a
# minute).
. "$(dirname "$0")/../lib/tap.sh"
model=$(realpath "$(dirname "$0")/remote.pml")
steps=${MODEL_STEPS:-3}

# search NAME OPTION...: look at every order of steps; what was found is in $folder/NAME/found.
search() {
    local name=$1
    shift
    mkdir "$folder/$name" && cd "$folder/$name" || return
    spin -a -DSTEPS="$steps" "$@" "$model" >spin.out 2>&1 &&
        cc -O1 -w -DSAFETY -DCOLLAPSE -DMEMLIM=3000 -o pan pan.c &&
        ./pan -m100000 >found 2>&1
    grep -E 'errors:|stored$|assertion violated' found | grep -v '+$'
    ! grep -E 'reached .*bound|too small|not completed.*memory' found
}

is_safe() {
    search "$@" && grep -q 'errors: 0' "$folder/$1/found" && ! grep -q 'Search not completed' "$folder/$1/found"
}

is_unsafe() {
    search "$@" && grep -q 'assertion violated' "$folder/$1/found"
}

if ! command -v spin >/dev/null || ! command -v cc >/dev/null; then
    plan 1
    skip "the ways of remote blocks are safe" "spin is not installed (Debian's package spin)"
    exit
fi
plan 11
check "no block is lost, none comes home twice, no slab ends too early, every token is delivered" is_safe whole
check "without the lock a slab is ended by an old count of its blocks" is_unsafe no_lock -DNO_LOCK
check "an orphan that ends after the lock was dropped ends twice" is_unsafe no_hold -DNO_HOLD
check "an orphan whose blocks came home unseen is never adopted" is_unsafe no_list -DNO_LIST
check "without the token two bring the same slab" is_unsafe no_token -DNO_TOKEN
check "with an inbox that is never closed a token is stranded" is_unsafe no_close -DNO_CLOSE
check "blocks that stay in a closed inbox are lost" is_unsafe no_return -DNO_RETURN
check "an orphan that nobody looks at never ends" is_unsafe no_check -DNO_CHECK
check "a visitor who does not look whether the owner is inside ends a slab in its hands" is_unsafe no_busy -DNO_BUSY
check "a visitor who does not count ends a slab in use" is_unsafe no_count -DNO_COUNT
check "an owner who counts too early has its slab ended under its hands" is_unsafe no_order -DNO_ORDER
