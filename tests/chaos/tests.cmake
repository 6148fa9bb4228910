# A minute of the adversary: two nodes, every kind of fault, and `belfry verify` as the judge. Off by default while a slow
# machine may not reach every kind of fault in its time, which is red: cmake -DBELFRY_CHAOS=ON, then ctest -L chaos.
option(BELFRY_CHAOS "Run a minute of the adversary as a test" OFF)
if(BELFRY_CHAOS AND TARGET belfry AND e2e_missing EQUAL 0)
  add_test(NAME chaos_minute COMMAND ${BELFRY_E2E_PYTHON} -B ${CMAKE_CURRENT_LIST_DIR}/run.py --seconds 40)
  set_tests_properties(chaos_minute PROPERTIES TIMEOUT 180 LABELS chaos RUN_SERIAL TRUE
    ENVIRONMENT "BELFRY_BINARY=$<TARGET_FILE:belfry>")
endif()
