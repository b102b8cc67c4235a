# libashlar-stack.so.1 and libashlar-stack.a: ashlar_stack.h, for programs on any malloc.

file(GLOB stack_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/stack/*.c)
set(stack_exports ${PROJECT_SOURCE_DIR}/src/stack/exports.map)

add_library(ashlar_stack_flags INTERFACE)
target_link_libraries(ashlar_stack_flags INTERFACE ashlar_flags ashlar_library_flags)
target_include_directories(ashlar_stack_flags INTERFACE ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/include)
target_compile_options(ashlar_stack_flags INTERFACE
  $<IF:$<CONFIG:Debug>,-Og$<SEMICOLON>-g3,-O2$<SEMICOLON>-g>
  -Wframe-larger-than=4096)         # what we advise others to keep to: a frame does not jump a guard page
target_compile_definitions(ashlar_stack_flags INTERFACE $<$<CONFIG:Debug>:ASHLAR_DEBUG=1>)

if(ASHLAR_SANITIZE MATCHES "address|thread")
  if(ASHLAR_TESTS)
    add_library(ashlar_stack_internal STATIC EXCLUDE_FROM_ALL ${stack_sources})
    target_link_libraries(ashlar_stack_internal PRIVATE ashlar_stack_flags ashlar_sanitizer)
  endif()
  return()
endif()

add_library(ashlar_stack_objects OBJECT ${stack_sources})
target_link_libraries(ashlar_stack_objects PRIVATE ashlar_stack_flags ashlar_trap)

add_library(ashlar_stack SHARED $<TARGET_OBJECTS:ashlar_stack_objects>)
add_library(ashlar::stack ALIAS ashlar_stack)
set_target_properties(ashlar_stack PROPERTIES OUTPUT_NAME ashlar-stack EXPORT_NAME stack SOVERSION 1 LINKER_LANGUAGE C
  LINK_DEPENDS ${stack_exports})
target_include_directories(ashlar_stack INTERFACE
  $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
target_link_options(ashlar_stack PRIVATE
  -static-libgcc -nostartfiles      # libc alone is needed; no start files, so no finaliser either
  -Wl,--version-script=${stack_exports} -Wl,--exclude-libs,ALL -Wl,--hash-style=gnu
  -Wl,-z,defs -Wl,-z,now -Wl,-z,relro
  -Wl,-z,nodelete)                  # threads that outlive a dlclose still end in our destructor

ashlar_add_archive(ashlar_stack_static ashlar-stack ashlar_stack_objects)
add_library(ashlar::stack_static ALIAS ashlar_stack_static)
set_target_properties(ashlar_stack_static PROPERTIES EXPORT_NAME stack_static)
