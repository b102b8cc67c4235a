#!/bin/bash
# The library defines exactly the names of exports.txt and those of our headers, without versions; the archive the same.
here=$(dirname "$0")
. "$here/../lib/tap.sh"

listed() {
    awk '!/^#/ && NF { print $1 }' "$here/exports.txt"
}

declared() {
    grep -oh '\<ashlar_[a-z_]*(' "$here"/../../include/ashlar{,_mem}.h | tr -d '(' | sort -u
}

defined_in_library() {
    nm -D --defined-only "$ASHLAR_BUILD/libashlar.so" | awk '{ print $3 }'
}

# --extern-only leaves out what was made local.
defined_in_archive() {
    nm --extern-only --defined-only "$ASHLAR_BUILD/libashlar.a" | awk 'NF == 3 { print $3 }'
}

exports_match() {
    diff -u --label promised --label defined <({ listed; declared; } | sort) <("$1" | sort)
}

the_list_is_whole() {
    [ "$(listed | wc -l)" -eq 49 ] && [ "$(listed | grep -c '^_Zn')" -eq 8 ] && [ "$(listed | grep -c '^_Zd')" -eq 12 ]
}

are_functions() {
    ! nm -D --defined-only "$ASHLAR_BUILD/libashlar.so" | awk '$2 != "T"' | grep .
}

plan 4
check "the list has 20 names of C, 8 of libc, 20 of C++ and 1 for the command" the_list_is_whole
check "libashlar.so defines what is promised, no more, without versions" exports_match defined_in_library
check "libashlar.a defines the same" exports_match defined_in_archive
check "all of them are strong functions" are_functions
