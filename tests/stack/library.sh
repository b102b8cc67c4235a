#!/bin/bash
# library.sh: what leaves libashlar-stack is ashlar_stack.h; what it needs is libc alone.
. "$(dirname "$0")/../lib/tap.sh"
root=$(realpath "$(dirname "$0")/../..")
library=$ASHLAR_BUILD/libashlar-stack.so
dynamic=$(readelf --dynamic --wide "$library")

entry() {
    awk -v tag="($1)" '$2 == tag { sub(/^[^)]*\) +/, ""); print }' <<<"$dynamic"
}

declared() {
    grep -oE '\bashlar_(scratch|guard|side|stack)_[a-z_]*[(;]' <<<"$(grep '^ASHLAR_API' "$root/include/ashlar_stack.h")" |
        tr -d '(;' | sort
}

exports_the_header() { diff <(declared) <(nm -D --defined-only "$library" | awk '{ print $3 }' | sort); }

archive_defines_the_header() { diff <(declared) <(nm -g --defined-only "$ASHLAR_BUILD/libashlar-stack.a" | awk 'NF == 3 { print $3 }' | sort); }

needs_libc_only() {
    entry NEEDED
    [ "$(entry NEEDED)" = "Shared library: [libc.so.6]" ]
}

is_named() {
    [ "$(entry SONAME)" = "Library soname: [libashlar-stack.so.1]" ] && [ "$(readlink "$library")" = libashlar-stack.so.1 ]
}

has_flag() {
    grep -qw "$2" <<<"$(entry "$1")" || { echo "$dynamic"; return 1; }
}

# From libashlar, and from a sanitizer, it asks by weak reference.
weak() { nm -D --undefined-only "$library" | awk '$1 == "w" { print $2 }' | sort; }
asks_weakly() { diff <(weak) <(printf '%s\n' __asan_poison_memory_region __asan_unpoison_memory_region ashlar_option); }

tls_is_small() {
    at_most "bytes of thread-local storage" 256 $((0 + $(readelf --segments --wide "$library" | awk '$1 == "TLS" { print $6 }')))
    has_flag FLAGS STATIC_TLS && ! nm -D "$library" | grep __tls_get_addr
}

runs_in_a_static_program() {
    gcc -static -I"$root/include" "$root/tests/stack/matrix/every.c" "$ASHLAR_BUILD/libashlar-stack.a" -o "$folder/every" &&
        "$folder/every"
}

# Loaded late and closed while a thread that uses it lives: the thread's end still finds it.
is_closed_too_early() {
    cat >"$folder/late.c" <<'CODE'
#include <dlfcn.h>
#include <pthread.h>
#include <stddef.h>
static pthread_barrier_t used, closed;
static void *(*allocate)(size_t);
static void *use(void *unused) {
    void *const at = allocate(1000);
    pthread_barrier_wait(&used);
    pthread_barrier_wait(&closed);
    return at != NULL ? unused : NULL;
}
int main(int count, char **words) {
    pthread_t thread;
    void *result, *const library = dlopen(words[count - 1], RTLD_NOW);
    if (library == NULL || (allocate = (void *(*)(size_t))dlsym(library, "ashlar_side_alloc")) == NULL)
        return 1;
    pthread_barrier_init(&used, NULL, 2);
    pthread_barrier_init(&closed, NULL, 2);
    if (pthread_create(&thread, NULL, use, &used) != 0)
        return 2;
    pthread_barrier_wait(&used);
    dlclose(library);
    pthread_barrier_wait(&closed);
    return pthread_join(thread, &result) == 0 && result == &used ? 0 : 3;
}
CODE
    gcc "$folder/late.c" -o "$folder/late" && "$folder/late" "${1-$library}"
}

# The archive inside of a plugin, as the header tells to link it.
is_closed_with_a_plugin() {
    gcc -shared -Wl,-z,nodelete -Wl,--whole-archive "$ASHLAR_BUILD/libashlar-stack.a" -Wl,--no-whole-archive -o "$folder/inside.so" &&
        is_closed_too_early "$folder/inside.so"
}

# Inline code in a library that is loaded late finds the thread-local state without a call.
serves_a_plugin() {
    cat >"$folder/plugin.c" <<'CODE'
#include <ashlar_stack.h>
int serve(void);
int serve(void) {
    struct ashlar_side_info info;
    for (int i = 0; i < 1000; i++) {
        ASHLAR_SIDE_SCOPE(m);
        if (m.serial == 0 || ashlar_side_alloc(100) == NULL)
            return 1;
    }
    return ashlar_side_stat(&info) == 0 && info.used == 0 && info.high_water == 128 ? 0 : 2;
}
CODE
    cat >"$folder/host.c" <<'CODE'
#include <dlfcn.h>
#include <stddef.h>
int main(int count, char **words) {
    void *const plugin = dlopen(words[count - 1], RTLD_NOW);
    int (*const serve)(void) = plugin != NULL ? (int (*)(void))dlsym(plugin, "serve") : NULL;
    return serve != NULL ? serve() : 3;
}
CODE
    gcc -O2 -fPIC -shared -I"$root/include" "$folder/plugin.c" "$library" -Wl,-rpath,"$ASHLAR_BUILD" -o "$folder/plugin.so" &&
        gcc "$folder/host.c" -o "$folder/host" && "$folder/host" "$folder/plugin.so" && ! nm -D "$folder/plugin.so" | grep __tls_get_addr
}

plan 11
check "it exports what the header declares" exports_the_header
check "so does the archive, and its other names are local" archive_defines_the_header
check "libc is the only library it needs" needs_libc_only
check "it is libashlar-stack.so.1, and libashlar-stack.so leads to it" is_named
check "dlclose does not unload it" has_flag FLAGS_1 NODELETE
check "others are asked by weak reference" asks_weakly
check "its thread-local storage is small and needs no call" tls_is_small
check "it serves a static program" runs_in_a_static_program
check "a thread survives dlclose" is_closed_too_early
check "so it does where the archive is inside of what is closed" is_closed_with_a_plugin
check "it serves a plugin by the initial-exec model" serves_a_plugin
