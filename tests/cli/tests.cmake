# The binary's own commands, driven as an operator would: only Python's standard library, no network but loopback.
if(NOT TARGET belfry)
  return()
endif()

function(belfry_cli_test name)
  add_test(NAME ${name} COMMAND ${Python3_EXECUTABLE} -B ${CMAKE_CURRENT_SOURCE_DIR}/cli/${name}.py)
  set_tests_properties(${name} PROPERTIES TIMEOUT 180 LABELS cli ENVIRONMENT
    "BELFRY_BINARY=$<TARGET_FILE:belfry>;BELFRY_SOURCE=${CMAKE_SOURCE_DIR}")
endfunction()

belfry_cli_test(docs_test)
belfry_cli_test(commands_test)
belfry_cli_test(serve_test)
belfry_cli_test(dev_test)
