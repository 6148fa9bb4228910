# The stock Socket.IO clients and parsers against the dialect. They come from npm by the lock file, into this folder; where
# node, npm or a registry is missing, the tests are skipped and say so.
add_executable(socketio_codec ${CMAKE_CURRENT_LIST_DIR}/codec.cpp
  ${CMAKE_SOURCE_DIR}/src/dialects/socketio/engine_packet.cpp ${CMAKE_SOURCE_DIR}/src/dialects/socketio/socket_packet.cpp)
target_include_directories(socketio_codec PRIVATE ${CMAKE_SOURCE_DIR}/src)
target_link_libraries(socketio_codec PRIVATE belfry_wire belfry_flags)

function(belfry_socketio_test name)
  add_test(NAME socketio_${name} COMMAND ${Python3_EXECUTABLE} -B ${CMAKE_CURRENT_LIST_DIR}/run.py ${name}.js ${ARGN})
  set_tests_properties(socketio_${name} PROPERTIES TIMEOUT 300 LABELS socketio SKIP_RETURN_CODE 77)
endfunction()

belfry_socketio_test(parsers $<TARGET_FILE:socketio_codec>)
belfry_socketio_test(client)
