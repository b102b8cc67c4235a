#!/bin/bash
# The runner counts honestly: nothing that goes wrong in a test program is lost or counted as passed.
. "$(dirname "$0")/../lib/tap.sh"
runner=$(realpath "$(dirname "$0")/../../dev/test.pl")
mkdir "$folder/tests"

# A test program that runs the given shell text.
program() {
    printf '%s\tbash\t-c\t%s\n' "$1" "$2" >>"$folder/tests/manifest"
}

# The runner over these programs ends with the line $1 and the exit status $2; more words are handed on to it.
counts() {
    local line=$1 status=$2 output real=0
    shift 2
    output=$(TEST_HANG=2 "$runner" "$folder" "$@" 2>&1) || real=$?
    echo "$output"
    [ "$(tail -n 1 <<<"$output")" = "$line" ] && [ $real -eq "$status" ]
}

shows_what_failed() {
    local output
    output=$("$runner" "$folder" bad/case 2>&1)
    grep -q '^# because of this$' <<<"$output" && grep -q '^and of that$' <<<"$output"
}

program good/two 'echo 1..2; echo ok 1 - a; echo ok 2 - b'
program good/plan-at-end 'echo ok 1 - a; echo 1..1'
program good/skip 'echo 1..2; echo ok 1 - a; echo "ok 2 - b # SKIP no reason"'
program good/skip-all 'echo "1..0 # SKIP all of it"'
program bad/case 'echo 1..2; echo ok 1 - a; echo not ok 2 - b; echo "# because of this"; echo and of that >&2; exit 1'
program bad/killed 'echo 1..2; echo ok 1 - a; kill -KILL $$'
program bad/short-plan 'echo 1..3; echo ok 1 - a'
program bad/long-plan 'echo 1..1; echo ok 1 - a; echo ok 2 - b'
program bad/no-plan 'echo ok 1 - a'
program bad/silent ':'
program bad/status 'echo 1..1; echo ok 1 - a; exit 3'
program bad/bail 'echo 1..2; echo ok 1 - a; echo "Bail out! no more"'
program bad/todo 'echo 1..1; echo "not ok 1 - a # TODO some day"'
program bad/hang 'echo 1..1; echo ok 1 - a; sleep 1000'
program bad/skip-and-die 'echo "1..0 # SKIP all of it"; kill -SEGV $$'
program bad/absent ''
sed -i 's|^bad/absent.*|bad/absent\t/nonexistent/program|' "$folder/tests/manifest"

plan 18
check "passed and skipped cases" counts "4 passed, 0 failed, 2 skipped" 0 good
check "a failed case" counts "1 passed, 1 failed, 0 skipped" 1 bad/case
check "a killed program" counts "1 passed, 1 failed, 0 skipped" 1 bad/killed
check "fewer cases than planned" counts "1 passed, 1 failed, 0 skipped" 1 bad/short-plan
check "more cases than planned" counts "2 passed, 1 failed, 0 skipped" 1 bad/long-plan
check "no plan" counts "1 passed, 1 failed, 0 skipped" 1 bad/no-plan
check "no word at all" counts "0 passed, 1 failed, 0 skipped" 1 bad/silent
check "an exit status that belies its cases" counts "1 passed, 1 failed, 0 skipped" 1 bad/status
check "a bail-out" counts "1 passed, 1 failed, 0 skipped" 1 bad/bail
check "a TODO is no excuse" counts "0 passed, 1 failed, 0 skipped" 1 bad/todo
check "a hang" counts "1 passed, 1 failed, 0 skipped" 1 bad/hang
check "a skip that dies" counts "0 passed, 1 failed, 0 skipped" 1 bad/skip-and-die
check "a program that is not there" counts "0 passed, 1 failed, 0 skipped" 1 bad/absent
check "all of them together" counts "13 passed, 12 failed, 2 skipped" 1
check "nothing but skips is no success" counts "0 passed, 0 failed, 1 skipped" 1 good/skip-all
check "a word is a whole suite or name" counts "2 passed, 0 failed, 0 skipped" 0 good/two
check "a word that names nothing" counts "test.pl: no such test: none/such" 2 none/such
check "what a failed program said is shown" shows_what_failed
