#!/bin/bash
# Every way of linking that the README names ends in a program that runs on Ashlar.
. "$(dirname "$0")/../lib/tap.sh"
root=$(realpath "$(dirname "$0")/../..")
prefix=$folder/prefix

# A program that exits 0 when its malloc is Ashlar's exactly if WANTED is 1, and prints how the library calls itself.
cat >"$folder/program.c" <<'EOF'
#include <ashlar.h>
#include <stdio.h>
#include <stdlib.h>

static unsigned long live_blocks(void) {
    struct ashlar_stats stats;
    return ashlar_stats_read(&stats, sizeof stats) == 0 ? stats.live_blocks : 0;
}

int main(void) {
    void *volatile first = ashlar_malloc(1000);
    const unsigned long before = live_blocks();
    void *volatile second = malloc(1000);
    const unsigned long after = live_blocks();
    printf("ashlar %s, %lu and %lu live blocks\n", ashlar_version(), before, after);
    free(second);
    ashlar_free(first);
    return before > 0 && (after > before) == WANTED ? 0 : 1;
}
EOF

# A program that exits 0 when libashlar-stack serves it, on whichever malloc there is.
cat >"$folder/stack.c" <<'EOF'
#include <ashlar_stack.h>
#include <string.h>

static int both(size_t n) {
    ASHLAR_GUARD(g);
    char *const checked = ASHLAR_ALLOCA(char, n, g);
    char *const lasting = ashlar_side_alloc(n);
    return checked && lasting ? memcmp(memset(checked, 1, n), memset(lasting, 1, n), n) : 1;
}

int main(void) {
    return both(1000) || both(1000000);
}
EOF

# A CMake project of the given lines, configured and built with the given options, whose programs all run.
cmake_project() {
    local name=$1 lines=$2 program
    shift 2
    mkdir "$folder/$name"
    printf '%s\n' 'cmake_minimum_required(VERSION 3.25)' 'project(consumer C)' "$lines" >"$folder/$name/CMakeLists.txt"
    cp "$folder/program.c" "$folder/stack.c" "$folder/$name"
    cmake -G Ninja -S "$folder/$name" -B "$folder/$name/build" "$@" >"$folder/$name/log" &&
        cmake --build "$folder/$name/build" >>"$folder/$name/log" || { tail -n 30 "$folder/$name/log" && return 1; }
    for program in "$folder/$name"/build/uses_*; do
        "$program" || return
    done
}

all_programs='foreach(kind ashlar static)
  add_executable(uses_${kind} program.c)
  target_link_libraries(uses_${kind} PRIVATE ashlar::${kind})
  target_compile_definitions(uses_${kind} PRIVATE WANTED=1)
endforeach()
foreach(kind stack stack_static)
  add_executable(uses_${kind} stack.c)
  target_link_libraries(uses_${kind} PRIVATE ashlar::${kind})
endforeach()'

subdirectory() {
    cmake_project subdirectory "add_subdirectory($root ashlar)
$all_programs"
}

fetched_beside_libc() {
    cmake_project fetched 'include(FetchContent)
FetchContent_Declare(ashlar SOURCE_DIR ${ASHLAR_SOURCE})
FetchContent_MakeAvailable(ashlar)
add_executable(uses_beside program.c)
target_link_libraries(uses_beside PRIVATE ashlar::static)
target_compile_definitions(uses_beside PRIVATE WANTED=0)' -DASHLAR_SOURCE="$root" -DASHLAR_OVERRIDE=OFF
}

installs() {
    cmake --install "$ASHLAR_BUILD" --prefix "$prefix" >/dev/null &&
        "$prefix/bin/ashlar" run -- /bin/true 2>&1 && "$prefix/bin/ashlar" sizes -- /bin/true 2>&1 && ls "$prefix"/lib*/libashlar-status.so "$prefix"/include/ashlar{,_mem,_stack}.h "$prefix"/share/man/man*/ashlar*
}

found_package() {
    cmake_project found "find_package(ashlar REQUIRED)
$all_programs" -DCMAKE_PREFIX_PATH="$prefix"
}

# The program $2 with what pkg-config says of the package $1.
by_pkg_config() {
    local flags
    flags=$(PKG_CONFIG_PATH=$(echo "$prefix"/lib*/pkgconfig) pkg-config --cflags --libs "$1 >= 0.1") || return
    gcc -DWANTED=1 "$folder/$2.c" $flags -Wl,-rpath,"$(echo "$prefix"/lib*)" -o "$folder/by_pkg_config" &&
        "$folder/by_pkg_config"
}

by_archive() {
    gcc -DWANTED=1 "$@" -I"$prefix/include" "$folder/program.c" "$(echo "$prefix"/lib*/libashlar.a)" \
        -o "$folder/by_archive" && "$folder/by_archive"
}

plan 8
check "add_subdirectory" subdirectory
check "FetchContent, beside libc's malloc" fetched_beside_libc
check "make install" installs
check "find_package" found_package
check "pkg-config" by_pkg_config ashlar program
check "pkg-config, the stack tools alone" by_pkg_config ashlar-stack stack
check "libashlar.a in a dynamic program" by_archive
check "libashlar.a in a static program" by_archive -static
