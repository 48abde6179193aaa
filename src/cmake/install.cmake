# The installed tree: library, headers, CMake package, pkg-config file.
include(CMakePackageConfigHelpers)
set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/twinmq)

install(TARGETS twinmq twinmq_plugin EXPORT twinmqTargets
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/twinmq DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT twinmqTargets NAMESPACE twinmq:: DESTINATION ${package_folder})

configure_package_config_file(${PROJECT_SOURCE_DIR}/src/cmake/twinmqConfig.cmake.in
  ${PROJECT_BINARY_DIR}/twinmqConfig.cmake INSTALL_DESTINATION ${package_folder})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/twinmqConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/twinmqConfig.cmake ${PROJECT_BINARY_DIR}/twinmqConfigVersion.cmake
  DESTINATION ${package_folder})

# A static library brings nothing along, so that whoever links it names what it stands on.
set(TWINMQ_FOREIGN_LIBRARIES
  "-ltomlplusplus -lfmt -lrocksdb -lhttp_parser -lsimdjson -lre2 -lprotobuf -lcurl -lz -lssl -lcrypto -pthread")
if(BUILD_SHARED_LIBS)
  set(TWINMQ_PC_LIBS "-ltwinmq")
else()
  set(TWINMQ_PC_LIBS "-ltwinmq ${TWINMQ_FOREIGN_LIBRARIES}")
endif()
file(RELATIVE_PATH TWINMQ_PC_INCLUDES ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_FULL_INCLUDEDIR})
configure_file(${PROJECT_SOURCE_DIR}/src/cmake/twinmq.pc.in ${PROJECT_BINARY_DIR}/twinmq.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/twinmq.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
