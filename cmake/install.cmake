# What `cmake --install` puts beside the program and the library: manual pages, completion, settings files, units,
# documentation. Pages, completion and settings files are written by the program's own tables, when it is built.
set(HW_SYSTEMD_DIR lib/systemd/system CACHE PATH "Folder of the systemd units")

set(manual ${CMAKE_BINARY_DIR}/manual)
if(NOT HW_SANITIZE AND NOT HW_FUZZ AND NOT HW_COVERAGE)
  add_custom_command(OUTPUT ${manual}/stamp
    COMMAND ${CMAKE_COMMAND} -E rm -rf ${manual}
    COMMAND ${HW_PYTHON3} ${CMAKE_SOURCE_DIR}/scripts/generate-manual $<TARGET_FILE:highwater> ${manual}
      ${PROJECT_VERSION}
    COMMAND ${CMAKE_COMMAND} -E touch ${manual}/stamp
    DEPENDS highwater ${CMAKE_SOURCE_DIR}/scripts/generate-manual
    COMMENT "Writing manual pages, completion and settings files"
    VERBATIM)
  add_custom_target(manual ALL DEPENDS ${manual}/stamp)
  foreach(section 1 5)
    install(DIRECTORY ${manual}/man/ DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section} COMPONENT highwater
      FILES_MATCHING PATTERN "*.${section}")
  endforeach()
  install(FILES ${manual}/completion/highwater COMPONENT highwater
    DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
  # A settings file that somebody has changed is not replaced.
  foreach(service serve receive)
    install(CODE "
      set(file ${CMAKE_INSTALL_SYSCONFDIR}/highwater/${service}.conf)
      cmake_path(ABSOLUTE_PATH file BASE_DIRECTORY \"\${CMAKE_INSTALL_PREFIX}\")
      if(EXISTS \"\$ENV{DESTDIR}\${file}\")
        message(STATUS \"Kept: \$ENV{DESTDIR}\${file}\")
      else()
        cmake_path(GET file PARENT_PATH folder)
        file(INSTALL ${manual}/settings/${service}.conf DESTINATION \"\${folder}\")
      endif()" COMPONENT highwater)
  endforeach()
else()
  message(STATUS "No manual pages, completion or settings files: the program is built with instrumentation")
endif()

foreach(unit highwater.service highwater-receive.service)
  configure_file(contrib/systemd/${unit}.in ${CMAKE_BINARY_DIR}/systemd/${unit} @ONLY)
  install(FILES ${CMAKE_BINARY_DIR}/systemd/${unit} DESTINATION ${HW_SYSTEMD_DIR} COMPONENT highwater)
endforeach()
foreach(kind sysusers tmpfiles)
  install(FILES contrib/systemd/${kind}.conf DESTINATION lib/${kind}.d RENAME highwater.conf COMPONENT highwater)
endforeach()

install(DIRECTORY contrib/prometheus contrib/grafana web/client DESTINATION ${CMAKE_INSTALL_DATADIR}/highwater
  COMPONENT highwater)
install(FILES README.md CHANGELOG.md LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT highwater)
install(DIRECTORY docs DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT highwater)
install(FILES contrib/systemd/highwater.socket DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples COMPONENT highwater)
install(FILES examples/receiver.c DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples COMPONENT libhighwater)
