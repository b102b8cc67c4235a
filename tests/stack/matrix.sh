#!/bin/bash
# matrix.sh [all]: ashlar_stack.h under both compilers, each optimisation, each hardening, in C and in C++; and what must
# not compile. Without `all` each value stands once beside the most usual ones of the other axes; with it (`make
# stack-matrix`) every optimisation meets every hardening.
. "$(dirname "$0")/../lib/tap.sh"
here=$(realpath "$(dirname "$0")")
root=$(realpath "$here/../..")
strict=(-pedantic -Wall -Wextra -Werror -I"$root/include")

optimisations=(-O0 -O1 -O2 -O3 -Os "-O2 -flto")
hardenings=("" -fstack-clash-protection -fstack-protector-strong "-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2"
    "-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3" -ftrivial-auto-var-init=pattern "-fsanitize=address,undefined -fno-sanitize-recover=all")

# The library beside the program: its sources where the linker optimises both as one, else what the build made.
library_for() {
    case $1 in
    *-flto*) echo -I"$root/src" -D_GNU_SOURCE -std=gnu17 "$root"/src/stack/*.c ;;
    *) echo "$ASHLAR_BUILD/libashlar-stack.a" ;;
    esac
}

# Compile every.c by compiler $1 with the words $2..., link it with the library, run it.
runs() {
    local compiler=$1 program=$folder/every status=0
    shift
    local words=$*
    case $compiler in
    *++) "$compiler" -std=c++17 "${strict[@]}" $words -x c++ -c "$here/matrix/every.c" -o "$folder/every.o" ;;
    *) "$compiler" -std=c17 "${strict[@]}" $words -c "$here/matrix/every.c" -o "$folder/every.o" ;;
    esac && "$compiler" $words $(library_for "$words") "$folder/every.o" -o "$program" || return
    ASAN_OPTIONS=detect_stack_use_after_return=1 "$program" || status=$?
    [ $status -eq 0 ] || { echo "exit status $status: 100 and the line of every.c"; return 1; }
}

# The body $3 of main in the language $2, by compiler $1; what it says is in $folder/said.
compiles() {
    printf '#include <ashlar_stack.h>\nint main(int n, char **v) { (void)n; (void)v; %s return 0; }\n' "$3" |
        "$1" -x "${2%17}" -std="$2" -I"$root/include" -fsyntax-only - 2>"$folder/said"
}

# It must not, and the compiler must say $4.
refuses() {
    compiles "$1" "$2" "$3" && { echo "it compiles"; return 1; }
    grep -q -- "$4" "$folder/said" || { cat "$folder/said"; return 1; }
}

# ashlar.h and ashlar_stack.h define their common words alike.
headers_agree() {
    printf '#include <%s>\n' ashlar.h ashlar_stack.h ashlar.h | "$1" -x "${2%17}" -std="$2" "${strict[@]}" -fsyntax-only - &&
        printf '#include <%s>\n' ashlar_stack.h ashlar.h | "$1" -x "${2%17}" -std="$2" "${strict[@]}" -fsyntax-only -
}

# Whether compiler $1 has what it links with for the words $2....
can() {
    echo 'int main(void) { return 0; }' | "$@" -x c - -o "$folder/probe" 2>/dev/null && "$folder/probe"
}

# One cell of the matrix; what this machine lacks for it is said.
cell() {
    local compiler=$1 optimisation=$2 hardening=$3 name="$1 $2 $3"
    [ "$optimisation" != -O0 ] || hardening=${hardening/-D_FORTIFY_SOURCE=[23]/} # wants an optimising compiler
    case "$optimisation $hardening" in
    *-flto* | *-fsanitize*) can "$compiler" $optimisation $hardening || { skip "$name" "the linker has nothing for it"; return; } ;;
    esac
    check "$name" runs "$compiler" $optimisation $hardening
}

sample() {
    local compiler=$1 value
    for value in "${optimisations[@]}"; do
        cell "$compiler" "$value" ""
    done
    for value in "${hardenings[@]:1}"; do
        cell "$compiler" -O2 "$value"
    done
}

everything() {
    local optimisation hardening
    for optimisation in "${optimisations[@]}"; do
        for hardening in "${hardenings[@]}"; do
            cell "$1" "$optimisation" "$hardening"
        done
    done
}

refusals() {
    local compiler=$1 language=$2 not_constant=$3
    check "$compiler $language: the headers agree" headers_agree "$compiler" "$language"
    check "$compiler $language: a scratch buffer of 1 byte" compiles "$compiler" "$language" "ASHLAR_SCRATCH(s, 1); (void)s;"
    check "$compiler $language: the largest scratch buffer" compiles "$compiler" "$language" "ASHLAR_SCRATCH(s, 2048); (void)s;"
    check "$compiler $language: none of 0 bytes" refuses "$compiler" "$language" "ASHLAR_SCRATCH(s, 0);" "scratch size"
    check "$compiler $language: none above the maximum" refuses "$compiler" "$language" "ASHLAR_SCRATCH(s, 2049);" "scratch size"
    check "$compiler $language: none of a size that is not constant" refuses "$compiler" "$language" "ASHLAR_SCRATCH(s, n);" "$not_constant"
}

for compiler in gcc clang; do
    if ! command -v $compiler >/dev/null; then
        skip "$compiler" "it is not installed"
        continue
    fi
    if [ "${1-}" = all ]; then
        everything $compiler
        everything ${compiler/gcc/g}++
    else
        sample $compiler
        cell ${compiler/gcc/g}++ -O0 ""
        cell ${compiler/gcc/g}++ -O2 ""
        cell ${compiler/gcc/g}++ -O2 "${hardenings[-1]}"
    fi
    refusals $compiler c17 "not \(constant\|an integral constant\)"
    refusals $compiler c++17 "constant"
done
plan "$tap_number"
