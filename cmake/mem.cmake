# libashlar-mem.so.1: memcpy, memmove, memset and their relatives, by LD_PRELOAD or by -lashlar-mem.
#
# Its sources stand apart from one.c: each width of vectors is a file of its own, compiled for processors that have it.

file(GLOB mem_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/mem/*.c)
set(mem_exports ${PROJECT_SOURCE_DIR}/src/mem/exports.map)
set(sources_for_64 ${PROJECT_SOURCE_DIR}/src/mem/wide_64.c)
set(sources_for_32 ${PROJECT_SOURCE_DIR}/src/mem/wide_32.c)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  set_source_files_properties(${sources_for_32} PROPERTIES COMPILE_OPTIONS "-mavx2")
  set_source_files_properties(${sources_for_64} PROPERTIES COMPILE_OPTIONS "-mavx512f;-mavx512bw;-mavx512vl;-mprefer-vector-width=512")
else()
  list(REMOVE_ITEM mem_sources ${sources_for_32} ${sources_for_64})
endif()

add_library(ashlar_mem_flags INTERFACE)
target_compile_options(ashlar_mem_flags INTERFACE
  -O2 -fPIC -fvisibility=hidden -fno-plt -fno-stack-protector -U_FORTIFY_SOURCE -fno-lto
  # A loop that copies is compiled into a call of memcpy, which would be a call of itself.
  -fno-builtin $<$<C_COMPILER_ID:GNU>:-fno-tree-loop-distribute-patterns$<SEMICOLON>-fno-tree-loop-vectorize$<SEMICOLON>-fno-instrument-functions>
  $<$<C_COMPILER_ID:Clang>:-fno-vectorize$<SEMICOLON>-fno-slp-vectorize>
  # Others' constructors come here before any sanitizer has started.
  -fno-sanitize=all)
target_include_directories(ashlar_mem_flags INTERFACE ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/include)

add_library(ashlar_mem SHARED ${mem_sources})
target_link_libraries(ashlar_mem PRIVATE ashlar_flags ashlar_mem_flags)
target_compile_definitions(ashlar_mem PRIVATE MEM_TAKES_NAMES)
set_target_properties(ashlar_mem PROPERTIES OUTPUT_NAME ashlar-mem SOVERSION 1 LINKER_LANGUAGE C LINK_DEPENDS ${mem_exports})
target_link_options(ashlar_mem PRIVATE -nostartfiles -Wl,--version-script=${mem_exports} -Wl,-Bsymbolic
  -Wl,-z,defs -Wl,-z,now -Wl,-z,relro -Wl,--hash-style=gnu)
add_library(ashlar::mem ALIAS ashlar_mem)

if(ASHLAR_TESTS)
  add_library(ashlar_mem_internal STATIC EXCLUDE_FROM_ALL ${mem_sources})
  target_link_libraries(ashlar_mem_internal PRIVATE ashlar_flags ashlar_mem_flags)
endif()
