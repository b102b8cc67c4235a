#!/bin/sh
# audit.sh: programs under an LD_AUDIT library, which makes the loader call the heap before the program is relocated.
#
# Environment: ASHLAR_BUILD (the build directory).
set -u
library=$(realpath "${ASHLAR_BUILD:?the build directory}/libashlar.so") || exit 1
audit=$ASHLAR_BUILD/tests/stress/audit.so

# same NAME COMMAND...: the same output and exit status as without both libraries.
number=0
same() {
    name=$1
    shift
    number=$((number + 1))
    expected=$("$@" 2>&1)
    expected_status=$?
    found=$(LD_AUDIT=$audit LD_PRELOAD=$library "$@" 2>&1)
    status=$?
    if [ "$status" = "$expected_status" ] && [ "$found" = "$expected" ]; then
        echo "ok $number - $name"
    else
        echo "not ok $number - $name"
        printf 'status %s\n%s\n' "$status" "$found" | sed 's/^/#   /'
    fi
}

echo "TAP version 13"
echo "1..4"
same echo_under_audit /bin/echo hello
same a_shell_pipeline_under_audit /bin/sh -c 'seq 5000 | sort -r | head -n 3'
same awk_under_audit awk 'BEGIN { for (i = 0; i < 20000; i++) t[i] = i "x"; for (i in t) n += length(t[i]); print n }'
same perl_under_audit perl -e 'my %h = map { $_ => "x" x ($_ % 100) } 1 .. 20000; print length join "", values %h'
