# make install: headers, libraries, command, manual pages, pkg-config files, CMake package.

include(CMakePackageConfigHelpers)

install(FILES ${PROJECT_SOURCE_DIR}/include/ashlar.h ${PROJECT_SOURCE_DIR}/include/ashlar_mem.h
  ${PROJECT_SOURCE_DIR}/include/ashlar_stack.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(TARGETS ashlar ashlar_static ashlar_stack ashlar_stack_static EXPORT ashlar
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(TARGETS ashlar_mem LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
if(ASHLAR_COMMAND)
  install(TARGETS ashlar_command ashlar_status ashlar_sizes
    RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
endif()

foreach(section 1 3 7)
  file(GLOB pages ${PROJECT_SOURCE_DIR}/docs/man/*.${section})
  install(FILES ${pages} DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section})
endforeach()

# Relative to the file itself: the prefix is known when it is installed, not now.
file(RELATIVE_PATH ashlar_pc_to_prefix /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
foreach(name ashlar ashlar-stack)
  configure_file(${PROJECT_SOURCE_DIR}/cmake/${name}.pc.in ${name}.pc @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/${name}.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endforeach()

set(package_directory ${CMAKE_INSTALL_LIBDIR}/cmake/ashlar)
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/ashlarConfig.cmake.in ashlarConfig.cmake
  INSTALL_DESTINATION ${package_directory} NO_SET_AND_CHECK_MACRO NO_CHECK_REQUIRED_COMPONENTS_MACRO)
write_basic_package_version_file(ashlarConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(EXPORT ashlar NAMESPACE ashlar:: FILE ashlarTargets.cmake DESTINATION ${package_directory})
install(FILES ${PROJECT_BINARY_DIR}/ashlarConfig.cmake ${PROJECT_BINARY_DIR}/ashlarConfigVersion.cmake
  DESTINATION ${package_directory})
