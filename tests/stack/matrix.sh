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

# The library by C compiler $1, where the linker is to optimise it with the program; $library names it.
compile_library() {
    rm -rf "$folder/library" && mkdir "$folder/library" &&
        (cd "$folder/library" && "$@" -std=gnu17 -D_GNU_SOURCE -I"$root/src" -I"$root/include" -c "$root"/src/stack/*.c) &&
        library=$(echo "$folder"/library/*.o)
}

# Compile every.c by compiler $1 with the words $2..., link it with the library, run it.
runs() {
    local compiler=$1 words=${*:2} language=(-std=c17) library=$ASHLAR_BUILD/libashlar-stack.a status=0
    [[ $compiler != *++ ]] || language=(-std=c++17 -x c++)
    "$compiler" "${language[@]}" "${strict[@]}" $words -c "$here/matrix/every.c" -o "$folder/every.o" || return
    if [[ $words == *-flto* ]]; then
        compile_library $family $words || return
    fi
    "$compiler" $words "$folder/every.o" $library -o "$folder/every" || return
    ASAN_OPTIONS=detect_stack_use_after_return=1 "$folder/every" || status=$?
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

for family in gcc clang; do
    if ! command -v $family >/dev/null; then
        skip "$family" "it is not installed"
        continue
    fi
    if [ "${1-}" = all ]; then
        everything $family
        everything ${family/gcc/g}++
    else
        sample $family
        cell ${family/gcc/g}++ -O0 ""
        cell ${family/gcc/g}++ -O2 ""
        cell ${family/gcc/g}++ -O2 "${hardenings[-1]}"
    fi
    refusals $family c17 "not \(constant\|an integral constant\)"
    refusals $family c++17 "constant"
done
plan "$tap_number"
