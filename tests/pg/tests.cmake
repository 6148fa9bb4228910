# Tests against a real PostgreSQL. A ctest run has one cluster: the fixture starts and ends it, its place is told by a file in
# the build folder, and every binary clones a database of its own from one migrated template.
set(belfry_pg_place ${CMAKE_BINARY_DIR}/pg_cluster)
set(belfry_pg_script ${CMAKE_CURRENT_SOURCE_DIR}/pg/cluster.py)

add_test(NAME pg_cluster_start COMMAND ${Python3_EXECUTABLE} ${belfry_pg_script} start ${belfry_pg_place})
add_test(NAME pg_cluster_stop COMMAND ${Python3_EXECUTABLE} ${belfry_pg_script} stop ${belfry_pg_place})
set_tests_properties(pg_cluster_start PROPERTIES FIXTURES_SETUP postgres LABELS pg TIMEOUT 120)
set_tests_properties(pg_cluster_stop PROPERTIES FIXTURES_CLEANUP postgres LABELS pg TIMEOUT 60)

add_library(belfry_pg_harness STATIC ${CMAKE_CURRENT_SOURCE_DIR}/pg/harness.cpp)
target_include_directories(belfry_pg_harness PUBLIC ${CMAKE_SOURCE_DIR}/src ${CMAKE_CURRENT_SOURCE_DIR})
target_compile_definitions(belfry_pg_harness PRIVATE
  BELFRY_PG_PLACE="${belfry_pg_place}" BELFRY_PG_SCRIPT="${belfry_pg_script}" BELFRY_PYTHON="${Python3_EXECUTABLE}")
target_link_libraries(belfry_pg_harness PUBLIC belfry_storage GTest::gtest PRIVATE belfry_flags)

# belfry_pgtest(<name> <more rooms>...): one binary from tests/pg/<name>_pgtest.cpp.
function(belfry_pgtest name)
  set(source ${CMAKE_CURRENT_SOURCE_DIR}/pg/${name}_pgtest.cpp)
  if(NOT EXISTS ${source})
    return()
  endif()
  list(TRANSFORM ARGN PREPEND belfry_ OUTPUT_VARIABLE rooms)
  add_executable(${name}_pgtest ${source})
  target_link_libraries(${name}_pgtest PRIVATE belfry_pg_harness belfry_storage ${rooms} belfry_flags GTest::gmock GTest::gtest_main)
  add_test(NAME ${name}_pgtest COMMAND ${name}_pgtest)
  set_tests_properties(${name}_pgtest PROPERTIES TIMEOUT 300 LABELS pg FIXTURES_REQUIRED postgres)
endfunction()

belfry_pgtest(tables_channels)
belfry_pgtest(tables_content)
belfry_pgtest(tables_rights)
belfry_pgtest(tables_edges)
belfry_pgtest(storage_engine)
belfry_pgtest(storage_statements)
belfry_pgtest(storage_log)
belfry_pgtest(storage_failures)
belfry_pgtest(storage_standby)
belfry_pgtest(storage_races)
belfry_pgtest(storage_schema)
