# Install.cmake: headers, library, tool, CMake package and pkg-config file.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

install(TARGETS quartic EXPORT quarticTargets
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
        RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR}
        INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(DIRECTORY include/quartic DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT quarticTargets NAMESPACE quartic:: DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/quartic)

configure_package_config_file(cmake/quarticConfig.cmake.in ${CMAKE_CURRENT_BINARY_DIR}/quarticConfig.cmake
                              INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/quartic)
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/quarticConfigVersion.cmake COMPATIBILITY SameMajorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/quarticConfig.cmake ${CMAKE_CURRENT_BINARY_DIR}/quarticConfigVersion.cmake
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/quartic)
# Relative to the .pc file, so that an installed tree may be moved or staged.
file(RELATIVE_PATH QUARTIC_PC_TO_PREFIX /p/${CMAKE_INSTALL_LIBDIR}/pkgconfig /p)
configure_file(cmake/quartic.pc.in ${CMAKE_CURRENT_BINARY_DIR}/quartic.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/quartic.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
