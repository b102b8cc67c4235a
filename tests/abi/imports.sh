#!/bin/bash
# The library takes from outside only what a person has read and let in: imports.txt.
here=$(dirname "$0")
. "$here/../lib/tap.sh"

reviewed() {
    awk '!/^#/ && NF { print $1 == "?" ? $2 : $1 }' "$here/imports.txt" | sort -u
}

always_imported() {
    awk '!/^[#?]/ && NF { print $1 }' "$here/imports.txt" | sort -u
}

# Symbols without a version, weak or not: the part behind @ is libc's business.
imported() {
    nm -D --undefined-only "$ASHLAR_BUILD/libashlar.so" | awk '{ sub("@.*", "", $2); print $2 }' | sort -u
}

imported_by_archive() {
    nm --undefined-only "$ASHLAR_BUILD/libashlar.a" | awk 'NF == 2 && $2 != "_GLOBAL_OFFSET_TABLE_" { print $2 }' |
        sort -u
}

only_reviewed() {
    ! comm -13 <(reviewed) <("$1") | grep .
}

# A name that is no longer needed must leave the list, or the list means nothing.
all_needed() {
    ! comm -23 <(always_imported) <(imported) | grep .
}

cxx_is_weak() {
    ! nm -D --undefined-only "$ASHLAR_BUILD/libashlar.so" | awk '$2 ~ /^_Z|^__cxa/ && $1 !~ /[wv]/' | grep .
}

plan 4
check "libashlar.so imports reviewed names only" only_reviewed imported
check "libashlar.a imports reviewed names only" only_reviewed imported_by_archive
check "every reviewed name is imported" all_needed
check "names of C++ are weak: a C program needs no libstdc++" cxx_is_weak
