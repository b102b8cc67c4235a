#!/bin/bash
# loader.sh: the library among others that the loader brings in: hooks over the functions that heaps use, an auditor, both
# orders of preloading. What a program prints and how it ends does not change.
. "$(dirname "$0")/../lib/tap.sh"
library=$ASHLAR_BUILD/libashlar.so
support=$ASHLAR_BUILD/tests/conformance

arithmetic='print(sum(len(str(i)) for i in range(100000)), sorted(str(i) for i in range(2000))[7])'

# What two programs print in the environment given, and how they end.
result() {
    env "$@" /usr/bin/python3 -c "$arithmetic" 2>&1
    echo "status $?"
    env "$@" sh -c 'for i in 1 2 3; do echo x; done | sed s/x/y/' 2>&1
    echo "status $?"
}

same_result() {
    diff <(result NOTHING=1) <(result "$@")
}

# The variable $1=1 makes the library of that name say how often it ran: at least once.
takes_part() {
    local variable=$1
    shift
    env "$variable=1" "$@" /usr/bin/python3 -c 'open("/dev/null").read()' 2>&1 | grep -E '^(hooks|audit): [1-9]'
}

# A library that the program itself needs: its constructors run before those of what is preloaded, unless the latter is
# built to come first.
cat >"$folder/main.c" <<'END'
int main(void) { return 0; }
END
forks_beside_handlers() {
    gcc -o "$folder/forks" "$folder/main.c" -Wl,--no-as-needed "$support/handlers.so" || return
    env HANDLERS_FORK=1 "$@" "$folder/forks" | grep -x "forked 300"
}

plan 11
check "the hooks take part" takes_part HOOKS_COUNT LD_PRELOAD="$support/hooks.so:$library"
check "hooks that allocate, before the library" same_result LD_PRELOAD="$support/hooks.so:$library"
check "hooks that allocate, behind the library" same_result LD_PRELOAD="$library:$support/hooks.so"
check "the auditor takes part" takes_part AUDIT_COUNT LD_AUDIT="$support/audit.so" LD_PRELOAD="$library"
check "an auditor that allocates" same_result LD_AUDIT="$support/audit.so" LD_PRELOAD="$library"
check "an auditor and hooks" same_result LD_AUDIT="$support/audit.so" LD_PRELOAD="$support/hooks.so:$library"
check "the library twice" same_result LD_PRELOAD="$library:$library.1"
check "everything bound at once" same_result LD_BIND_NOW=1 LD_PRELOAD="$library"
other=/usr/lib/$(gcc -print-multiarch)/libc_malloc_debug.so.0
check "in front of another malloc" same_result LD_PRELOAD="$library:$other"
check "fork with another library's handlers, preloaded" forks_beside_handlers LD_PRELOAD="$library"
check "the same without, to know the test" forks_beside_handlers NOTHING=1
