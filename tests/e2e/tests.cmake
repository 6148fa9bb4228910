# End-to-end tests: Python drives the built server over real sockets. One ctest per file; the last one asks whether the
# documents were covered by all of them together. The interpreter is the system's, which has the packages of the README.
set(BELFRY_E2E_PYTHON /usr/bin/python3 CACHE FILEPATH "Python with pytest, websockets, jsonschema and yaml")
execute_process(COMMAND ${BELFRY_E2E_PYTHON} -c "import pytest, websockets, jsonschema, yaml"
                RESULT_VARIABLE e2e_missing OUTPUT_QUIET ERROR_QUIET)
if(NOT TARGET belfry)
  message(STATUS "e2e: no server target yet, end-to-end tests left out")
elseif(NOT e2e_missing EQUAL 0)
  message(WARNING "e2e: ${BELFRY_E2E_PYTHON} lacks pytest, websockets, jsonschema or yaml; end-to-end tests left out")
else()
  # The server as it will be one migration later. Its own list of steps comes first, so the one in the library is left out.
  belfry_embed_migrations(${CMAKE_BINARY_DIR}/generated/next_migrations.cpp ${CMAKE_CURRENT_LIST_DIR}/next_migration.sql)
  add_executable(belfry_next ${CMAKE_BINARY_DIR}/generated/next_migrations.cpp)
  target_link_libraries(belfry_next PRIVATE belfry_app belfry_flags)
  file(GLOB e2e_files CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/test_*.py)
  set(e2e_names "")
  # What hangs says where, before ctest ends it.
  foreach(file IN LISTS e2e_files)
    get_filename_component(stem ${file} NAME_WE)
    string(REGEX REPLACE "^test_" "e2e_" name ${stem})
    add_test(NAME ${name} COMMAND ${BELFRY_E2E_PYTHON} -B -m pytest -q -p no:cacheprovider -o faulthandler_timeout=150 ${file})
    set_tests_properties(${name} PROPERTIES TIMEOUT 300 LABELS e2e ENVIRONMENT
      "BELFRY_BINARY=$<TARGET_FILE:belfry>;BELFRY_NEXT_BINARY=$<TARGET_FILE:belfry_next>;BELFRY_E2E_COVERAGE=${CMAKE_BINARY_DIR}/e2e-coverage")
    if(stem STREQUAL "test_deploys")
      set_tests_properties(${name} PROPERTIES TIMEOUT 600)  # nine drains of five seconds each, under load
    endif()
    if(stem STREQUAL "test_socketio_conformance")
      set_tests_properties(${name} PROPERTIES TIMEOUT 1200)  # hundreds of cases twice over, and the packages of Node at first
    endif()
    if(NOT stem STREQUAL "test_zz_coverage")
      list(APPEND e2e_names ${name})
    endif()
  endforeach()
  set_tests_properties(e2e_zz_coverage PROPERTIES DEPENDS "${e2e_names}")
endif()
