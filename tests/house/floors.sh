#!/bin/bash
# src/ keeps the floors rule, and dev/floors.py finds each way of breaking it in a house built for that.
. "$(dirname "$0")/../lib/tap.sh"
root=$(realpath "$(dirname "$0")/../..")
house=$folder/house

write() {
    mkdir -p "$(dirname "$house/$1")"
    cat >"$house/$1"
}

# A sound house of four floors: api -> page -> os, each including the doors below it, and the annexes.
build_house() {
    rm -rf "$house"
    mkdir -p "$house/include" "$house/cli" "$house/tests/abi"
    cp "$root/tests/abi/exports.txt" "$house/tests/abi"
    write include/ashlar.h <<<'void *ashlar_malloc(unsigned long bytes);'
    write src/base/units.h <<<'typedef unsigned long size;'
    write src/os/os.h <<<'void *os_map(unsigned long bytes);'
    write src/os/inner.h <<<'enum { OS_INNER = 1 };'
    write src/page/page.h <<<'void *page_take(unsigned long bytes);'
    write include/ashlar_stack.h <<<'void *ashlar_side_alloc(unsigned long bytes);'
    write src/mem/mem.h <<<'void mem_copy(void);'
    write src/stack/stack.h <<<'#include <ashlar_stack.h>'
    printf '%s\n' '#include "os/os.h"' '#include "inner.h"' '#include "base/units.h"' '#include <sys/mman.h>' \
        'void *os_map(size bytes) { return mmap(0, bytes, 3, 34, -1, 0); }' | write src/os/os.c
    printf '%s\n' '#include "page/page.h"' '#include "os/os.h"' \
        'void *page_take(unsigned long bytes) { return os_map(bytes); }' | write src/page/page.c
    printf '%s\n' '#include <ashlar.h>' '#include "page/page.h"' \
        'void *ashlar_malloc(unsigned long bytes) { return page_take(bytes); }' \
        'void *malloc(unsigned long bytes) { return page_take(bytes); }' | write src/api/api.c
    write src/mem/mem.c <<<'#include "mem/mem.h"'
    printf '%s\n' '#include "stack/stack.h"' '#include <ashlar.h>' | write src/stack/side.c
}

floors() {
    local source object
    for source in "$house"/src/*/*.c; do
        object=$house/build/CMakeFiles/ashlar_internal.dir/${source#"$house/"}.o
        mkdir -p "$(dirname "$object")"
        gcc -g -O1 -fno-builtin -I"$house/src" -I"$house/include" -c "$source" -o "$object" || return 99
    done
    "$root/dev/floors.py" "$house/build" --source "$house"
}

# The house with one fault: FILE gets LINE at its end, and the one finding is at FILE:PLACE and says TEXT.
finds() {
    local file=$1 place=$2 text=$3 line=$4 output status=0
    build_house
    echo "$line" >>"$house/$file"
    output=$(floors) || status=$?
    echo "$output"
    [ $status -eq 1 ] && [ "$(wc -l <<<"$output")" -eq 2 ] && [[ $output == "$file:$place: "*"$text"* ]]
}

sound_house_passes() {
    build_house
    floors
}

empty_house_is_no_success() {
    mkdir -p "$folder/empty/src"
    "$root/dev/floors.py" "$folder/empty" --source "$folder/empty"
    [ $? -eq 2 ]
}

plan 14
check "src/ keeps the rule" "$root/dev/floors.py" "$ASHLAR_BUILD"
check "a sound house passes" sound_house_passes
check "nothing to look at is no success" empty_house_is_no_success
check "finds an include of a higher floor" \
    finds src/os/os.c 6 "os includes page/page.h of a higher floor" '#include "page/page.h"'
check "finds an include past the door of a lower floor" \
    finds src/page/page.c 4 "the one door of os is os/os.h" '#include "os/inner.h"'
check "finds an include by a relative path" \
    finds src/os/inner.h 2 "os includes page/page.h of a higher floor" '#include "../page/page.h"'
check "finds mem including a floor" \
    finds src/mem/mem.c 2 "mem includes os/os.h of a higher floor" '#include "os/os.h"'
check "finds an annex including a floor" \
    finds src/stack/side.c 3 "stack includes os/os.h of a higher floor" '#include "os/os.h"'
check "finds an annex including the other one" \
    finds src/stack/side.c 3 "stack includes mem/mem.h of a higher floor" '#include "mem/mem.h"'
check "finds a floor including the stack tools" \
    finds src/api/api.c 5 "api includes the public header ashlar_stack.h" '#include <ashlar_stack.h>'
check "finds a low floor including the public header" \
    finds src/page/page.c 4 "page includes the public header ashlar.h" '#include <ashlar.h>'
check "finds a call of a higher floor without an include" \
    finds src/os/os.c 6 "os needs page_take, which page defines" \
    'void *page_take(size bytes); void *os_up(size bytes) { return (char *)page_take(bytes) + 1; }'
check "finds a call of malloc below api" \
    finds src/page/page.c 4 "page needs malloc, which api defines" \
    'void *malloc(unsigned long bytes); void *page_up(void) { return (char *)malloc(1) + 1; }'
check "finds the command including a floor" \
    finds cli/main.c 1 "the command includes src/os/os.h" '#include "../src/os/os.h"'
