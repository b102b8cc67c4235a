# libashlar-mem.so.1: memcpy, memmove, memset and their relatives, by LD_PRELOAD or by -lashlar-mem.
#
#   ashlar_mem_core   the functions under our own names, as objects: also part of libashlar
#   ashlar_mem        the library: the core, and libc's names
#
# The sources stand apart from one.c: each width of vectors is a file of its own, compiled for processors that have it.

set(mem ${PROJECT_SOURCE_DIR}/src/mem)
set(mem_core_sources ${mem}/level.c ${mem}/move.c ${mem}/set.c ${mem}/wide_16.c)
set(mem_names_sources ${mem}/check.c ${mem}/libc.c ${mem}/start.c ${mem}/strings.c ${PROJECT_SOURCE_DIR}/src/base/options.c)
set(mem_exports ${mem}/exports.map)
set(mem_is_for_x86 OFF)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  set(mem_is_for_x86 ON)
  list(APPEND mem_core_sources ${mem}/wide_32.c)
  set_source_files_properties(${mem}/wide_32.c PROPERTIES COMPILE_OPTIONS "-mavx2")
endif()

add_library(ashlar_mem_flags INTERFACE)
target_compile_options(ashlar_mem_flags INTERFACE
  -O2 -g -fPIC -fvisibility=hidden -fno-plt -fno-stack-protector -U_FORTIFY_SOURCE -fno-lto
  # A loop that copies is compiled into a call of memcpy, which would be a call of itself.
  -falign-functions=64 -fno-builtin $<$<C_COMPILER_ID:GNU>:-fno-tree-loop-distribute-patterns$<SEMICOLON>-fno-tree-loop-vectorize$<SEMICOLON>-fno-instrument-functions$<SEMICOLON>-fno-crossjumping$<SEMICOLON>-falign-jumps=64:16:8>
  $<$<C_COMPILER_ID:Clang>:-fno-vectorize$<SEMICOLON>-fno-slp-vectorize>
  # (crossjumping: a jump to another path's last two instructions takes as long as they do, on the shortest paths. Where
  # few bytes are lost by it, a path begins on a line of cache of its own.)
  # evex.h has registers 16 to 31 to itself, whatever else is wanted of the compiler.
  $<$<BOOL:${mem_is_for_x86}>:-mno-avx512f>
  # Others' constructors come here before any sanitizer has started.
  -fno-sanitize=all)
target_compile_definitions(ashlar_mem_flags INTERFACE _GNU_SOURCE)
target_include_directories(ashlar_mem_flags INTERFACE ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/include)

add_library(ashlar_mem_core OBJECT ${mem_core_sources})
target_link_libraries(ashlar_mem_core PRIVATE ashlar_flags ashlar_mem_flags)

add_library(ashlar_mem SHARED ${mem_names_sources} $<TARGET_OBJECTS:ashlar_mem_core>)
target_link_libraries(ashlar_mem PRIVATE ashlar_flags ashlar_mem_flags)
set_target_properties(ashlar_mem PROPERTIES OUTPUT_NAME ashlar-mem SOVERSION 1 LINKER_LANGUAGE C LINK_DEPENDS ${mem_exports})
target_link_options(ashlar_mem PRIVATE -nostartfiles -Wl,--version-script=${mem_exports} -Wl,-Bsymbolic
  -Wl,-z,defs -Wl,-z,now -Wl,-z,relro -Wl,--hash-style=gnu)
add_library(ashlar::mem ALIAS ashlar_mem)
