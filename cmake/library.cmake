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

# One object whose inner names are local: short names such as page_take never meet a program's own.
set(static_object ${CMAKE_CURRENT_BINARY_DIR}/CMakeFiles/ashlar-static.o)
add_custom_command(
  OUTPUT ${static_object}
  COMMAND ${CMAKE_LINKER} -r -o ${static_object} $<TARGET_OBJECTS:${static_objects}> $<TARGET_OBJECTS:ashlar_mem_core>
  COMMAND ${CMAKE_OBJCOPY} --localize-hidden ${static_object}
  DEPENDS ${static_objects} ashlar_mem_core $<TARGET_OBJECTS:${static_objects}> $<TARGET_OBJECTS:ashlar_mem_core>
  COMMAND_EXPAND_LISTS VERBATIM COMMENT "Making the static library's inner names local")
add_library(ashlar_static STATIC ${static_object})
add_library(ashlar::static ALIAS ashlar_static)
set_source_files_properties(${static_object} PROPERTIES EXTERNAL_OBJECT ON GENERATED ON)
set_target_properties(ashlar_static PROPERTIES OUTPUT_NAME ashlar EXPORT_NAME static LINKER_LANGUAGE C)
target_include_directories(ashlar_static INTERFACE
  $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
