#!/bin/bash
# settings.sh: libashlar-stack reads its own key of ASHLAR_CONF and no other; where libashlar is there, that one judges the
# whole; a program with more rights than its caller does not look.
. "$(dirname "$0")/../lib/tap.sh"
program=$ASHLAR_BUILD/tests/stack/reserved
initial=$((64 << 20))

# With the configuration $1 the program prints exactly $2: lines on descriptor 2, then the bytes.
prints() {
    diff <(ASHLAR_CONF=$1 LD_PRELOAD=${preload-} "$program" 2>&1) <(printf '%s\n' "${@:2}")
}

refuses() {
    prints "$1" "ashlar: ASHLAR_CONF: $2; all settings ignored" "$initial"
}

not_set() {
    [ "$(env -u ASHLAR_CONF "$program" 2>&1)" = "$initial" ]
}

alone() {
    check "no variable" not_set
    check "an empty one" prints "" "$initial"
    check "the smallest" prints "side_stack:1M" $((1 << 20))
    check "the largest" prints "side_stack:4G" $((4 << 30))
    check "kibibytes, rounded up to a page" prints "side_stack:1537K" $(((1537 << 10) + 4095 & ~4095))
    check "among keys of others" prints "dirty:1M,side_stack:2M,purge_delay:1s" $((2 << 20))
    check "keys of others are not judged" prints "nonsense:1,side_stack:2M,dirty" $((2 << 20))
    check "a longer key is another's" prints "side_stacks:2M,xside_stack:3M" "$initial"
    local size
    for size in "" 0 1 1023K 4097M 5G 1X 1m -1M +2M 2.5M "2M " none 18446744073709551617M; do
        check "the size '$size'" refuses "side_stack:$size" "bad value for \"side_stack\": \"$size\""
    done
    check "no colon" refuses "dirty:1M,side_stack" 'no ":" in "side_stack"'
    check "twice" refuses "side_stack:2M,side_stack:2M" 'given twice: "side_stack"'
    check "control characters are not printed" refuses $'side_stack:\e[31m' 'bad value for "side_stack": "?[31m"'
}

beside_libashlar() {
    local preload=$ASHLAR_BUILD/libashlar.so
    check "beside libashlar: its key" prints "side_stack:2M" $((2 << 20))
    check "beside libashlar: nothing set" prints "" "$initial"
    check "beside libashlar: a bad value is told once" refuses "side_stack:2X" 'bad value for "side_stack": "2X"'
    check "beside libashlar: another's mistake counts for all" refuses "side_stack:2M,nonsense:1" 'unknown key "nonsense"'
}

# ---- AT_SECURE: a program that runs with another group than its caller's ----

# What a copy of the program with the mode $1 and the group daemon prints to nobody, by whom it is started.
as_nobody() {
    chmod "$1" "$folder/program"
    ASHLAR_CONF=side_stack:2M setpriv --reuid=65534 --regid=65534 --clear-groups "$folder/program" 2>&1
}

reads_the_variable() { [ "$(as_nobody 0755)" = $((2 << 20)) ]; }
ignores_the_variable() { [ "$(as_nobody 2755)" = "$initial" ]; }

secure() {
    if [ "$(id -u)" -ne 0 ] || ! command -v setpriv >/dev/null; then
        skip "an ordinary program reads the variable" "only root can try"
        skip "a setgid program does not" "only root can try"
    elif findmnt -no OPTIONS -T "$folder" | grep -qw nosuid; then
        skip "an ordinary program reads the variable" "$folder does not honour setgid"
        skip "a setgid program does not" "$folder does not honour setgid"
    else
        chmod 0755 "$folder"
        gcc -I"$(dirname "$0")/../../include" "$(dirname "$0")/support/reserved.c" "$ASHLAR_BUILD/libashlar-stack.a" \
            -o "$folder/program" && chgrp daemon "$folder/program"
        check "an ordinary program reads the variable" reads_the_variable
        check "a setgid program does not" ignores_the_variable
    fi
}

alone
beside_libashlar
secure
plan "$tap_number"
