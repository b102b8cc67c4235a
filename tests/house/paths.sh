#!/bin/bash
# The hot paths are short, dev/paths.py finds each fault it looks for, and no run of the real functions is longer than
# what it counted.
. "$(dirname "$0")/../lib/tap.sh"
paths=$(realpath "$(dirname "$0")/../../dev/paths.py")

# A library whose malloc is the given text, and whose free is empty.
library() {
    cat >"$folder/planted.c" <<EOF
typedef unsigned long word;
int option_table[4];
word counter, table[4];
void slow(void);
__attribute__((noinline)) word slow_malloc(word bytes) { slow(); return bytes; }
word malloc(word bytes) { $1 }
void free(word block) { table[0] = block; }
EOF
    gcc -O2 -fPIC -fno-builtin -fvisibility=hidden -nostdlib -shared "$folder/planted.c" -o "$folder/planted.so"
}

# The length that paths.py counts for the function $1 of the library $2.
length_of() {
    "$paths" "$2" | awk -v name="$1" '$1 == name { print $2 }'
}

accepts() {
    library "$1" && "$paths" -v "$folder/planted.so"
}

# paths.py refuses the function and says why.
refuses() {
    local text=$1 reason=$2 output
    library "$text" || return
    output=$("$paths" -v "$folder/planted.so") && return 1
    echo "$output"
    grep -q "^malloc: .*$reason" <<<"$output"
}

# The longest of several ways counts, and none that ends in a slow function.
longest_way_counts() {
    local short long
    library 'return bytes < 64 ? table[bytes] : slow_malloc(bytes * 3 + 7);'
    short=$(length_of malloc "$folder/planted.so")
    library 'return bytes < 64 ? table[bytes] : (counter + bytes * 5) / 3 ^ bytes;'
    long=$(length_of malloc "$folder/planted.so")
    echo "$short and $long"
    [ "$short" -gt 3 ] && [ "$long" -gt "$short" ]
}

# No call in a real process executes more instructions than the longest way has.
steps_fit() {
    local library name steps counted
    library=$(realpath "$ASHLAR_BUILD/libashlar.so.1")
    while read -r name steps; do
        counted=$(length_of "$name" "$library")
        at_most "instructions executed by $name" "$counted" "$steps" || return
    done < <("$ASHLAR_BUILD/tests/house/step" "$library" || echo "malloc 1000")
}

too_long='word x = counter;'
for round in 1 2 3 4 5 6 7 8 9 10; do
    too_long+=" x = (x ^ (x << $round)) + table[$round & 3];"
done

plan 10
check "malloc and free are as short as designed" "$paths" -v "$ASHLAR_BUILD/libashlar.so"
check "a real process executes no more" steps_fit
check "accepts a short function with a slow side" accepts 'return bytes < 64 ? table[bytes] : slow_malloc(bytes);'
check "counts the longest way that stays" longest_way_counts
check "refuses a long way" refuses "$too_long return x;" "at most 26 are allowed"
check "refuses a call" refuses 'slow(); return table[0];' "no way from its entry"
check "refuses an atomic" refuses '__atomic_fetch_add(&counter, 1, 0); return table[0];' "is atomic"
check "refuses an exchange" refuses 'return __atomic_exchange_n(&counter, 1, 0);' "is atomic"
check "refuses a look at the options" refuses 'return option_table[1] ? table[0] : table[1];' "looks at option_table"
check "refuses a loop" refuses 'while (bytes-- > 5) *(volatile word *)&counter = 1; return table[0];' "begins a loop"
