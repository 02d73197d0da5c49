# Manual pages and completion scripts, written by the program itself from what --help is made from, and where they are
# installed. A program for another machine cannot be run here; its pages are those of a build for this one.
include(GNUInstallDirs)
if(CMAKE_CROSSCOMPILING)
  return()
endif()
set(tandem_pages ${PROJECT_BINARY_DIR}/pages)
add_custom_command(
  OUTPUT ${tandem_pages}/stamp
  COMMAND ${CMAKE_COMMAND} -E rm -rf ${tandem_pages}
  COMMAND tandem pages all ${tandem_pages}
  COMMAND ${CMAKE_COMMAND} -E touch ${tandem_pages}/stamp
  DEPENDS tandem
  COMMENT "Writing manual pages and completion scripts")
add_custom_target(pages ALL DEPENDS ${tandem_pages}/stamp)
install(DIRECTORY ${tandem_pages}/man1 DESTINATION ${CMAKE_INSTALL_MANDIR})
install(FILES ${tandem_pages}/bash/tandem DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
install(FILES ${tandem_pages}/zsh/_tandem DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions)
install(FILES ${tandem_pages}/fish/tandem.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
