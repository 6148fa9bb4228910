# A minute of the adversary: every kind of fault, and `belfry verify` as the judge. On its own, since it counts on time.
if(TARGET belfry AND e2e_missing EQUAL 0)
  add_executable(chaos_wire ${CMAKE_CURRENT_LIST_DIR}/wire.cpp)
  target_link_libraries(chaos_wire PRIVATE belfry_flags Threads::Threads)
  add_dependencies(chaos_wire belfry)
  add_test(NAME chaos_returning_test COMMAND ${BELFRY_E2E_PYTHON} -B -m pytest -q -p no:cacheprovider
           ${CMAKE_CURRENT_LIST_DIR}/returning_test.py)
  set_tests_properties(chaos_returning_test PROPERTIES TIMEOUT 120 LABELS chaos ENVIRONMENT "BELFRY_BINARY=$<TARGET_FILE:belfry>")
  add_test(NAME chaos_minute COMMAND ${BELFRY_E2E_PYTHON} -B ${CMAKE_CURRENT_LIST_DIR}/run.py --seconds 60)
  set_tests_properties(chaos_minute PROPERTIES TIMEOUT 900 LABELS chaos RUN_SERIAL TRUE
    ENVIRONMENT "BELFRY_BINARY=$<TARGET_FILE:belfry>;BELFRY_CHAOS_WIRE=$<TARGET_FILE:chaos_wire>")
  # Under ThreadSanitizer with several I/O threads: what they share is found there.
  if(BELFRY_SANITIZE STREQUAL "thread")
    add_test(NAME chaos_threads COMMAND ${BELFRY_E2E_PYTHON} -B ${CMAKE_CURRENT_LIST_DIR}/run.py
             --seconds 30 --nodes 2 --bus nats --io-threads 4)
    set_tests_properties(chaos_threads PROPERTIES TIMEOUT 600 LABELS chaos RUN_SERIAL TRUE
      ENVIRONMENT "BELFRY_BINARY=$<TARGET_FILE:belfry>;BELFRY_CHAOS_WIRE=$<TARGET_FILE:chaos_wire>")
  endif()
endif()
