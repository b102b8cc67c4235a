#!/bin/bash
# options.sh: ASHLAR_CONF is read strictly, all or nothing; an error is one line; confirm:on shows what came of it and
# whence; a program with more rights than its caller does not look at it.
. "$(dirname "$0")/../lib/tap.sh"

# What /bin/true, preloaded, prints with this configuration.
printed() {
    ASHLAR_CONF=$1 LD_PRELOAD=$ASHLAR_BUILD/libashlar.so /bin/true 2>&1
}

# The configuration $1 prints exactly $2.
prints() {
    diff <(printed "$1") <(printf '%s' "$2")
}

# The configuration $1 is refused with the words $2.
refuses() {
    prints "$1" "ashlar: ASHLAR_CONF: $2; all settings ignored
"
}

defaults=(confirm:on foreign:auto sized:abort warn:off purge_delay:500ms dirty:8M soft_limit:none hard_limit:none
    responder:off status:off check_mem:off check_mem_scope:both check_mem_small:fast mem_level:auto mem_copy_rep_min:auto
    mem_copy_rep_max:auto mem_set_rep_min:auto mem_set_rep_max:auto mem_copy_nt_min:auto side_stack:64M)

# The lines of confirm:on when the settings $@ were given and the others were not.
confirmation() {
    local setting given origin
    for setting in "${defaults[@]}"; do
        origin=default
        for given in "$@"; do
            [ "${given%%:*}" = "${setting%%:*}" ] && setting=$given && origin=ASHLAR_CONF
        done
        echo "ashlar: confirm: $setting ($origin)"
    done
}

# The settings $@, with confirm:on, are confirmed as they were given.
confirms() {
    diff <(printed "$(IFS=,; echo "$*")") <(confirmation "$@")
}

silent_without_a_variable() {
    [ -z "$(env -u ASHLAR_CONF LD_PRELOAD="$ASHLAR_BUILD/libashlar.so" /bin/true 2>&1)" ]
}

status=$folder/status
mkdir "$status"

cases() {
    check "no variable: silence" silent_without_a_variable
    check "an empty one: silence" prints "" ""
    check "good settings: silence" prints "purge_delay:1s,dirty:1M,warn:on" ""

    check "confirm shows the defaults" confirms confirm:on
    check "confirm shows what was given" confirms confirm:on dirty:16M purge_delay:2s sized:warn
    check "the order does not matter" confirms warn:on hard_limit:1G confirm:on foreign:ignore
    check "every choice of foreign" confirms confirm:on foreign:forward
    check "a limit from the control group" confirms confirm:on hard_limit:cgroup
    check "a folder" confirms confirm:on "status:$status"
    check "a default that was given is confirmed as given" confirms confirm:on dirty:8M
    check "sizes are shown in the largest unit that fits" prints "confirm:on,dirty:2048K" \
        "$(confirmation confirm:on dirty:2M)
"
    check "times too" prints "confirm:on,purge_delay:60000ms" "$(confirmation confirm:on purge_delay:1m)
"

    check "an unknown key" refuses "colour:red" 'unknown key "colour"'
    check "an unknown key near a known one" refuses "dirtty:1M" 'unknown key "dirtty" (did you mean "dirty"?)'
    check "two letters away is near" refuses "foriegn:ignore" 'unknown key "foriegn" (did you mean "foreign"?)'
    check "three letters away is not" refuses "purgdelays:1s" 'unknown key "purgdelays"'
    check "case matters" refuses "Warn:on" 'unknown key "Warn" (did you mean "warn"?)'
    check "a bad choice" refuses "sized:perhaps" 'bad value for "sized": "perhaps"'
    check "a bad choice near a good one" refuses "sized:wran" 'bad value for "sized": "wran" (did you mean "warn"?)'
    check "no value" refuses "dirty:" 'bad value for "dirty": ""'
    check "no colon" refuses "dirty" 'no ":" in "dirty"'
    check "nothing between commas" refuses "warn:on,,dirty:1M" 'no ":" in ""'
    check "nothing after the last comma" refuses "warn:on," 'no ":" in ""'
    check "a comma alone" refuses "," 'no ":" in ""'
    check "a key twice" refuses "warn:on,dirty:1M,warn:on" 'given twice: "warn"'
    check "a blank is part of a word" refuses "warn:on, dirty:1M" 'unknown key " dirty" (did you mean "dirty"?)'
    check "only the first colon splits" refuses "dirty:1M:2M" 'bad value for "dirty": "1M:2M"'

    local size
    for size in 1X 1k -1M +1M 1.5M 0x10 M "1M " 18446744073709551616 9999999999999999999T 16777216T; do
        check "the size '$size'" refuses "dirty:$size" "bad value for \"dirty\": \"$size\""
    done
    local delay
    for delay in 100 1h 1S -1s ms 1e3ms 99999999999999999999m; do
        check "the time '$delay'" refuses "purge_delay:$delay" "bad value for \"purge_delay\": \"$delay\""
    done
    for size in 1 1023K 1048575 4097M 5G none; do
        check "a side stack of '$size'" refuses "side_stack:$size" "bad value for \"side_stack\": \"$size\""
    done
    check "the smallest side stack" confirms confirm:on side_stack:1M
    check "the largest side stack" confirms confirm:on side_stack:4G
    check "a relative folder" refuses "status:tmp" 'bad value for "status": "tmp"'

    check "all or nothing: an error at the end" refuses "confirm:on,dirty:1M,nonsense:1" 'unknown key "nonsense"'
    check "all or nothing: an error at the beginning" refuses "nonsense:1,confirm:on" 'unknown key "nonsense"'
    check "all or nothing: only the first error is told" refuses "nonsense:1,dirty:x" 'unknown key "nonsense"'
    check "control characters are not printed" refuses $'dirty:\e[31m\n' 'bad value for "dirty": "?[31m?"'
    check "other bytes are not printed" refuses $'k\xc3\xa9y:1' 'unknown key "k??y"'
    check "an endless word is cut" cut_short
    check "each process says it once, children too" said_by_each_process
}

cut_short() {
    local word line
    word=$(printf 'x%.0s' {1..5000})
    line=$(printed "$word:1")
    [ "$(wc -l <<<"$line")" -eq 1 ] && [ ${#line} -lt 300 ] &&
        grep -q '^ashlar: ASHLAR_CONF: unknown key "x*"' <<<"$line" &&
        grep -q 'all settings ignored$' <<<"$line"
}

said_by_each_process() {
    local lines
    lines=$(ASHLAR_CONF=nonsense:1 LD_PRELOAD=$ASHLAR_BUILD/libashlar.so sh -c '/bin/true; /bin/true; exit 0' 2>&1)
    [ "$(grep -c 'unknown key "nonsense"' <<<"$lines")" -eq 3 ] && [ "$(wc -l <<<"$lines")" -eq 3 ]
}

# ---- AT_SECURE: a program that runs with another group than its caller's ------------------------------------------

# Run a copy of a test program, which has the library in it, as nobody; with the mode $1 and the group daemon.
as_nobody() {
    chmod "$1" "$folder/program"
    ASHLAR_CONF=confirm:on setpriv --reuid=65534 --regid=65534 --clear-groups "$folder/program" zero_bytes 2>&1 |
        grep -c '^ashlar: confirm:'
}

reads_the_variable() { [ "$(as_nobody 0755)" -eq ${#defaults[@]} ]; }
ignores_the_variable() { [ "$(as_nobody 2755)" -eq 0 ]; }

secure_cases() {
    local program=$ASHLAR_BUILD/tests/conformance-malloc.a
    if [ "$(id -u)" -ne 0 ] || ! command -v setpriv >/dev/null; then
        skip "an ordinary program reads the variable" "only root can try"
        skip "a setgid program does not" "only root can try"
    elif findmnt -no OPTIONS -T "$folder" | grep -qw nosuid; then
        skip "an ordinary program reads the variable" "$folder does not honour setgid"
        skip "a setgid program does not" "$folder does not honour setgid"
    else
        chmod 0755 "$folder"
        cp "$program" "$folder/program" && chgrp daemon "$folder/program"
        check "an ordinary program reads the variable" reads_the_variable
        check "a setgid program does not" ignores_the_variable
    fi
}

cases
secure_cases
plan "$tap_number"
