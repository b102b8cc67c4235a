#!/bin/bash
# no_vdso.sh: what goes by time, where the kernel maps no clock into the process: other tests again, the vDSO hidden.
. "$(dirname "$0")/../lib/tap.sh"
programs=$ASHLAR_BUILD/tests

without_vdso() {
    LD_PRELOAD=$ASHLAR_BUILD/tests/stress/no_vdso.so "$@"
}

# The clock's own test says so when it finds none.
is_hidden() {
    without_vdso "$programs/unit-os-clock" the_clock_of_the_vdso | grep "# SKIP .* maps no vDSO"
}

plan 3
check "the vDSO is hidden" is_hidden
check "a hard limit leaves room" without_vdso "$programs/conformance-limits.so" hard_limit
check "memory goes back while every thread sleeps" without_vdso "$programs/stress-responder.so"
