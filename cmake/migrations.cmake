# Compiles migrations/NNNN_name.sql in, in order: the binary carries its schema. Configures again when one changes. `next`,
# if not empty, is one more step: a test's, for a binary one version ahead. @CURRENT@ in it is the version before it.
function(belfry_embed_migrations output next)
  file(GLOB files CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/migrations/*.sql)
  list(SORT files)
  set(entries "")
  foreach(file ${files})
    get_filename_component(stem ${file} NAME_WE)
    if(NOT stem MATCHES "^([0-9][0-9][0-9][0-9])_([a-z0-9_]+)$")
      message(FATAL_ERROR "migrations/${stem}.sql: a migration is named NNNN_what_it_does.sql")
    endif()
    set(name ${CMAKE_MATCH_2})
    math(EXPR version "1${CMAKE_MATCH_1} - 10000")
    file(READ ${file} text)
    string(APPEND entries "      {${version}, \"${name}\", R\"belfry_sql(${text})belfry_sql\"},\n")
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
  endforeach()
  if(next)
    set(CURRENT ${version})
    file(READ ${next} text)
    string(CONFIGURE "${text}" text @ONLY)
    math(EXPR version "${version} + 1")
    string(APPEND entries "      {${version}, \"next\", R\"belfry_sql(${text})belfry_sql\"},\n")
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${next})
  endif()
  file(CONFIGURE OUTPUT ${output} @ONLY CONTENT [=[
// Made by cmake/migrations.cmake from migrations/*.sql.
#include "belfry/storage/postgres.hpp"

namespace belfry::storage {

const std::vector<Migration>& migrations() {
  static const std::vector<Migration> all{
@entries@  };
  return all;
}

}  // namespace belfry::storage
]=])
endfunction()
