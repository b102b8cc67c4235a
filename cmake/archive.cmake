# A static library of one object whose inner names are local: short names such as page_take never meet a program's own.
#
#   ashlar_add_archive(target output_name objects...)      `objects`: object libraries

function(ashlar_add_archive target output_name)
  list(TRANSFORM ARGN REPLACE "(.+)" "$<TARGET_OBJECTS:\\1>" OUTPUT_VARIABLE objects)
  set(object ${CMAKE_CURRENT_BINARY_DIR}/CMakeFiles/${target}.o)
  add_custom_command(
    OUTPUT ${object}
    COMMAND ${CMAKE_LINKER} -r -o ${object} ${objects}
    COMMAND ${CMAKE_OBJCOPY} --localize-hidden ${object}
    DEPENDS ${ARGN} ${objects}
    COMMAND_EXPAND_LISTS VERBATIM COMMENT "Making the inner names of lib${output_name}.a local")
  add_library(${target} STATIC ${object})
  set_source_files_properties(${object} PROPERTIES EXTERNAL_OBJECT ON GENERATED ON)
  set_target_properties(${target} PROPERTIES OUTPUT_NAME ${output_name} LINKER_LANGUAGE C)
  target_include_directories(${target} INTERFACE
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
endfunction()
