# Install.cmake: library, headers, tool, CMake package, pkg-config file, documents, configurations, examples.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

install(TARGETS quartic EXPORT quarticTargets
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
        RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(DIRECTORY include/quartic DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT quarticTargets NAMESPACE quartic:: DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/quartic)

# What the CMake package and the .pc file say of places: absolute ones as they are, others relative to the file itself,
# so that an installed tree may be moved. An absolute libdir says nothing about the prefix: then the files name the
# prefix that the install step is given, and get it there.
set(QUARTIC_PACKAGE_INCLUDEDIR "${CMAKE_INSTALL_INCLUDEDIR}")
set(QUARTIC_PC_INCLUDEDIR "${CMAKE_INSTALL_INCLUDEDIR}")
set(QUARTIC_PC_LIBDIR "${CMAKE_INSTALL_LIBDIR}")
if(IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}")
  set(QUARTIC_PC_PREFIX "@CMAKE_INSTALL_PREFIX@")
  set(prefix "@CMAKE_INSTALL_PREFIX@")
else()
  file(RELATIVE_PATH to_prefix /p/${CMAKE_INSTALL_LIBDIR}/pkgconfig /p)
  set(QUARTIC_PC_PREFIX "\${pcfiledir}/${to_prefix}")
  set(QUARTIC_PC_LIBDIR "\${prefix}/${CMAKE_INSTALL_LIBDIR}")
  set(prefix "\${PACKAGE_PREFIX_DIR}")
endif()
if(NOT IS_ABSOLUTE "${CMAKE_INSTALL_INCLUDEDIR}")
  set(QUARTIC_PC_INCLUDEDIR "\${prefix}/${CMAKE_INSTALL_INCLUDEDIR}")
  set(QUARTIC_PACKAGE_INCLUDEDIR "${prefix}/${CMAKE_INSTALL_INCLUDEDIR}")
endif()
set(made ${CMAKE_CURRENT_BINARY_DIR}/install)
configure_package_config_file(cmake/quarticConfig.cmake.in ${made}/quarticConfig.cmake.in
                              INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/quartic)
configure_file(cmake/quartic.pc.in ${made}/quartic.pc.in @ONLY)
write_basic_package_version_file(${made}/quarticConfigVersion.cmake COMPATIBILITY SameMajorVersion)
install(CODE "configure_file(\"${made}/quarticConfig.cmake.in\" \"${made}/quarticConfig.cmake\" @ONLY)
configure_file(\"${made}/quartic.pc.in\" \"${made}/quartic.pc\" @ONLY)")
install(FILES ${made}/quarticConfig.cmake ${made}/quarticConfigVersion.cmake
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/quartic)
install(FILES ${made}/quartic.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

# The tool looks for the library where it lies relative to it, so that an installed tree may be moved; and where it was
# installed, in case one of both was given an absolute place outside the tree.
if(QUARTIC_TOOL)
  file(RELATIVE_PATH QUARTIC_BIN_TO_LIB ${CMAKE_INSTALL_FULL_BINDIR} ${CMAKE_INSTALL_FULL_LIBDIR})
  set(origin $ORIGIN)
  if(APPLE)
    set(origin @loader_path)
  endif()
  set(rpath ${origin}/${QUARTIC_BIN_TO_LIB})
  if(IS_ABSOLUTE ${CMAKE_INSTALL_LIBDIR} OR IS_ABSOLUTE ${CMAKE_INSTALL_BINDIR})
    list(APPEND rpath ${CMAKE_INSTALL_FULL_LIBDIR})
  endif()
  set_target_properties(quartic_tool PROPERTIES INSTALL_RPATH "${rpath}")
  install(TARGETS quartic_tool RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()

# Documents side by side as in the source tree, so that their links hold; what runs are made from beside them.
install(FILES README.md CHANGELOG.md LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY docs examples DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY data/ DESTINATION ${CMAKE_INSTALL_DATADIR}/quartic)
