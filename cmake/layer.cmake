# tandem_layer(NAME SOURCES a.cc ... LINKS lower ... TESTS a_test.cc ... TEST_LINKS ...)
# One static library per folder, linked to lower folders only; one test program per folder.
function(tandem_layer name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINKS;TESTS;TEST_LINKS" ${ARGN})
  if(ARG_SOURCES)
    add_library(tandem_${name} STATIC ${ARG_SOURCES})
    target_include_directories(tandem_${name} PUBLIC ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/include)
    target_link_libraries(tandem_${name} PUBLIC ${ARG_LINKS})
  else()
    add_library(tandem_${name} INTERFACE)
    target_include_directories(tandem_${name} INTERFACE ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/include)
    target_link_libraries(tandem_${name} INTERFACE ${ARG_LINKS})
  endif()
  if(TANDEM_TESTS AND ARG_TESTS)
    tandem_test(${name}_test SOURCES ${ARG_TESTS} LINKS tandem_${name} ${ARG_TEST_LINKS})
  endif()
endfunction()

# tandem_test(NAME SOURCES ... LINKS ...): a GoogleTest program; each test becomes one line of ctest.
function(tandem_test name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINKS" ${ARGN})
  include(GoogleTest)
  add_executable(${name} ${ARG_SOURCES})
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR})  # tests/support
  target_link_libraries(${name} PRIVATE ${ARG_LINKS} GTest::gtest GTest::gtest_main)
  # Test data from elsewhere lies beside the checkout when it is there; tests that use it skip otherwise.
  target_compile_definitions(${name} PRIVATE TANDEM_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  gtest_discover_tests(${name} DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 60 PROPERTIES TIMEOUT 300)
endfunction()

# tandem_skipped_test(NAME REASON): stands in ctest's list, as skipped, for what this build cannot test.
function(tandem_skipped_test name reason)
  add_test(NAME ${name} COMMAND ${CMAKE_COMMAND} -E echo "Skipped: ${reason}")
  set_tests_properties(${name} PROPERTIES SKIP_REGULAR_EXPRESSION "^Skipped: ")
endfunction()
