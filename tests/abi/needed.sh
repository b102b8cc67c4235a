#!/bin/bash
# What the loader reads: libc alone is needed, nothing is relocated in code, nothing runs at unload, and the part of
# every thread's static TLS that is ours is small.
. "$(dirname "$0")/../lib/tap.sh"

library=$ASHLAR_BUILD/libashlar.so
dynamic=$(readelf --dynamic --wide "$library")

entry() {
    awk -v tag="($1)" '$2 == tag { sub(/^[^)]*\) +/, ""); print }' <<<"$dynamic"
}

needs_libc_only() {
    [ "$(entry NEEDED)" = "Shared library: [libc.so.6]" ] || { entry NEEDED; return 1; }
}

is_named() {
    [ "$(entry SONAME)" = "Library soname: [libashlar.so.1]" ] && [ "$(readlink "$library")" = libashlar.so.1 ]
}

has_flag() {
    grep -qw "$2" <<<"$(entry "$1")" || { echo "$dynamic"; return 1; }
}

has_no() {
    local tag
    for tag in "$@"; do
        [ -z "$(entry "$tag")" ] || { echo "$tag: $(entry "$tag")"; return 1; }
    done
}

tls_bytes() {
    echo $((0 + $(readelf --segments --wide "$library" | awk '$1 == "TLS" { print $6 }')))
}

tls_is_small() {
    at_most "bytes of thread-local storage" 64 "$(tls_bytes)"
}

tls_is_initial_exec() {
    has_flag FLAGS STATIC_TLS && ! nm -D "$library" | grep __tls_get_addr
}

stack_is_not_executable() {
    readelf --segments --wide "$library" | awk '$1 == "GNU_STACK" { found = $7 == "RW" } END { exit !found }'
}

plan 9
check "libc is the only library it needs" needs_libc_only
check "it is libashlar.so.1, and libashlar.so leads to it" is_named
check "dlclose does not unload it" has_flag FLAGS_1 NODELETE
check "all is bound before it runs" has_flag FLAGS_1 NOW
check "no relocation in code" has_no TEXTREL
check "nothing of it runs at unload or exit" has_no FINI FINI_ARRAY
check "at most 64 bytes of thread-local storage" tls_is_small
check "initial-exec, without a call" tls_is_initial_exec
check "the stack stays without execution" stack_is_not_executable
