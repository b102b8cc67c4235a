# The command `ashlar`, and the objects that it preloads: of `ashlar run` beside the library, and of `ashlar sizes`.
#
# The command sees the public header and the layout of the page in which a process leaves its figures. The status object
# is not linked with the library: it finds the functions it asks by weak reference, in whatever process it wakes up.

find_package(PkgConfig REQUIRED)
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson)    # writes JSON
pkg_check_modules(LIBELF REQUIRED IMPORTED_TARGET libelf)      # tells what a program is before it is run

file(GLOB command_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/cli/*.c ${PROJECT_SOURCE_DIR}/cli/lab/*.c
  ${PROJECT_SOURCE_DIR}/cli/tune/*.c)

# One function of the lab with a large frame, compiled with probes and without: what is measured is the compiler.
foreach(probed probed unprobed)
  add_library(ashlar_jump_${probed} OBJECT ${PROJECT_SOURCE_DIR}/cli/lab/probe/step.c)
  target_link_libraries(ashlar_jump_${probed} PRIVATE ashlar_flags)
  target_compile_definitions(ashlar_jump_${probed} PRIVATE _GNU_SOURCE JUMP_STEP=jump_${probed})
  target_compile_options(ashlar_jump_${probed} PRIVATE -O2 -g)
endforeach()
target_compile_options(ashlar_jump_probed PRIVATE -fstack-clash-protection)
target_compile_options(ashlar_jump_unprobed PRIVATE -fno-stack-clash-protection)

add_executable(ashlar_command ${command_sources}
  $<TARGET_OBJECTS:ashlar_jump_probed> $<TARGET_OBJECTS:ashlar_jump_unprobed>)
set_target_properties(ashlar_command PROPERTIES OUTPUT_NAME ashlar)
target_link_libraries(ashlar_command PRIVATE ashlar_flags ashlar_sanitizer PkgConfig::JANSSON PkgConfig::LIBELF
  ashlar_stack_static m)
target_compile_definitions(ashlar_command PRIVATE _GNU_SOURCE
  EMBED_ROOT="${PROJECT_SOURCE_DIR}" LAB_FLAGS="-O2 -g")
target_compile_options(ashlar_command PRIVATE -Wshadow -O2 -g)

# Texts that are embedded (cli/embed.h): what embeds them is compiled again when one of them changes.
file(GLOB_RECURSE explain_pages CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/cli/explain/*)
set_property(SOURCE ${PROJECT_SOURCE_DIR}/cli/cmd_explain.c PROPERTY OBJECT_DEPENDS ${explain_pages})
set_property(SOURCE ${PROJECT_SOURCE_DIR}/cli/lab/static.c PROPERTY OBJECT_DEPENDS
  ${PROJECT_SOURCE_DIR}/cli/lab/programs/static.c)
target_include_directories(ashlar_command PRIVATE ${PROJECT_SOURCE_DIR}/include)

file(GLOB status_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/cli/status/*.c)
add_library(ashlar_status MODULE ${status_sources})
set_target_properties(ashlar_status PROPERTIES OUTPUT_NAME ashlar-status C_VISIBILITY_PRESET hidden)
target_link_libraries(ashlar_status PRIVATE ashlar_flags ashlar_trap)
target_compile_definitions(ashlar_status PRIVATE _GNU_SOURCE)
target_compile_options(ashlar_status PRIVATE -Wshadow -O2 -g)
target_include_directories(ashlar_status PRIVATE ${PROJECT_SOURCE_DIR}/include)
target_link_options(ashlar_status PRIVATE -static-libgcc -Wl,-z,now -Wl,-z,relro -Wl,-z,noseparate-code)

# The recorder counts calls of memcpy and its relatives, and has src/mem do their work. Its constructor is the first of
# the process, so that those of other libraries are counted as well.
file(GLOB sizes_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/cli/sizes/*.c)
add_library(ashlar_sizes MODULE ${sizes_sources} $<TARGET_OBJECTS:ashlar_mem_core>)
set_target_properties(ashlar_sizes PROPERTIES OUTPUT_NAME ashlar-sizes)
target_link_libraries(ashlar_sizes PRIVATE ashlar_flags ashlar_mem_flags)
target_compile_definitions(ashlar_sizes PRIVATE _GNU_SOURCE)
target_compile_options(ashlar_sizes PRIVATE -Wshadow -g)
target_link_options(ashlar_sizes PRIVATE -nostartfiles -Wl,-Bsymbolic -Wl,-z,defs -Wl,-z,now -Wl,-z,relro
  -Wl,-z,initfirst -Wl,--hash-style=gnu)
