# libashlar.so.1 and libashlar.a.

set(debug $<CONFIG:Debug>)
set(exports ${PROJECT_SOURCE_DIR}/src/api/exports.map)

# The objects of the library: one from one.c in a release, one for each source in a debug build. `overrides` says
# whether they define the standard names.
function(ashlar_add_objects name overrides)
  if(CMAKE_BUILD_TYPE STREQUAL "Debug")
    add_library(${name} OBJECT ${ashlar_sources})
  else()
    add_library(${name} OBJECT ${PROJECT_SOURCE_DIR}/src/one.c)
  endif()
  target_link_libraries(${name} PRIVATE ashlar_flags ashlar_library_flags ashlar_trap)
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/include)
  target_compile_options(${name} PRIVATE $<IF:${debug},-Og$<SEMICOLON>-g3,-O2$<SEMICOLON>-g>)
  target_compile_definitions(${name} PRIVATE
    ASHLAR_OVERRIDE=$<BOOL:${overrides}> ASHLAR_CHECKS=$<BOOL:${ASHLAR_CHECKS}> $<${debug}:ASHLAR_DEBUG=1>)
endfunction()

ashlar_add_objects(ashlar_objects ON)
set(static_objects ashlar_objects)
if(NOT ASHLAR_OVERRIDE)
  ashlar_add_objects(ashlar_beside_objects OFF)
  set(static_objects ashlar_beside_objects)
endif()

add_library(ashlar SHARED $<TARGET_OBJECTS:ashlar_objects> $<TARGET_OBJECTS:ashlar_mem_core>)
add_library(ashlar::ashlar ALIAS ashlar)
set_target_properties(ashlar PROPERTIES SOVERSION 1 LINKER_LANGUAGE C LINK_DEPENDS ${exports})
target_include_directories(ashlar INTERFACE
  $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
target_link_options(ashlar PRIVATE
  -static-libgcc -nostartfiles      # libc alone is needed; no start files, so no finaliser either
  -Wl,--version-script=${exports} -Wl,--exclude-libs,ALL -Wl,--hash-style=gnu
  -Wl,-z,defs -Wl,-z,now -Wl,-z,relro
  -Wl,-z,initfirst                  # our fork handlers come before all others: src/api/init.c
  -Wl,-z,nodelete                   # threads that outlive a dlclose still end in our destructor
  -Wl,-z,noseparate-code)           # two segments instead of four: the loader makes fewer system calls

ashlar_add_archive(ashlar_static ashlar ${static_objects} ashlar_mem_core)
add_library(ashlar::static ALIAS ashlar_static)
set_target_properties(ashlar_static PROPERTIES EXPORT_NAME static)
