#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include <pqxx/pqxx>

#include "belfry/core/ids.hpp"
#include "belfry/core/time.hpp"

/// Domain values to statement parameters and columns to domain values. Everything goes as text, so that nothing depends
/// on how the server was compiled or how the session is set:
///  - times are written as ISO 8601 with `Z` (exact for every year, whatever TimeZone and DateStyle are) and read as
///  whole
///    milliseconds through the schema's function `epoch_ms(timestamptz)`;
///  - enums are their numbers (smallint columns);
///  - bytea goes as hexadecimal digits: `decode($n, 'hex')` to write, `encode(column, 'hex')` to read.
namespace belfry::storage {

/// One parameter; absent is NULL.
using Param = std::optional<std::string>;

template <std::integral T>
  requires(!std::same_as<T, bool>)
std::string to_sql(T value) {
  return std::to_string(value);
}
template <std::same_as<bool> T>
std::string to_sql(T value) {
  return value ? "true" : "false";
}
template <class T>
  requires std::is_enum_v<T>
std::string to_sql(T value) {
  return std::to_string(static_cast<std::int64_t>(std::to_underlying(value)));
}
inline std::string to_sql(const std::string& value) { return value; }
std::string to_sql(const core::Uuid& value);
/// Cut to the years 1..9999, the range that the API can show.
std::string to_sql(core::TimePoint value);
template <class Tag>
std::string to_sql(const core::NumericId<Tag>& value) {
  return to_sql(value.value);
}
template <class Tag>
std::string to_sql(const core::UuidId<Tag>& value) {
  return to_sql(value.value);
}
template <class T>
Param to_sql(const std::optional<T>& value) {
  if (!value) return std::nullopt;
  return to_sql(*value);
}

/// The bytes of what `core::to_hex` makes; throws std::runtime_error on anything else.
std::string from_hex(std::string_view digits);

/// Builds the text of a one-dimensional array: every element is quoted, NULL is a bare word.
class ArrayText {
 public:
  void add(const Param& element);
  /// `{…}`; to be cast where it is used: `$1::bigint[]`.
  std::string text() const { return "{" + elements_ + "}"; }

 private:
  std::string elements_;
};

/// `project` gives the element's value; anything that `to_sql` takes.
template <class Range, class Project>
std::string to_sql_array(const Range& range, Project project) {
  ArrayText array;
  for (const auto& element : range) array.add(to_sql(project(element)));
  return array.text();
}
template <class Range>
std::string to_sql_array(const Range& range) {
  return to_sql_array(range, [](const auto& element) -> const auto& { return element; });
}

/// Larger than every time and every id: the open end of a keyset, so that one statement serves first and later pages.
inline const std::string kNoTimeBound = "infinity";
inline constexpr std::int64_t kNoIdBound = INT64_MAX;

/// Reads the columns of one row from left to right, as the statement lists them. Throws std::runtime_error on what the
/// schema does not allow (NULL where a value is needed, text that is no number).
class RowReader {
 public:
  explicit RowReader(const pqxx::row& row) : row_(row) {}

  template <class T>
  T next() {
    T value{};
    read(value);
    return value;
  }
  void skip(int columns) { column_ += static_cast<pqxx::row::size_type>(columns); }

 private:
  pqxx::field field() { return row_[column_++]; }
  std::int64_t number();
  std::string_view text(const pqxx::field& field) const;

  template <std::integral T>
    requires(!std::same_as<T, bool>)
  void read(T& value) {
    const auto wide = number();
    if (!std::in_range<T>(wide)) throw std::runtime_error("storage: a column is out of its range");
    value = static_cast<T>(wide);
  }
  template <class T>
    requires std::is_enum_v<T>
  void read(T& value) {
    value = static_cast<T>(next<std::underlying_type_t<T>>());
  }
  void read(bool& value);
  void read(std::string& value);
  void read(core::Uuid& value);
  void read(core::TimePoint& value);
  template <class Tag>
  void read(core::NumericId<Tag>& value) {
    value.value = number();
  }
  template <class Tag>
  void read(core::UuidId<Tag>& value) {
    read(value.value);
  }
  template <class T>
  void read(std::optional<T>& value) {
    if (row_[column_].is_null()) {
      ++column_;
    } else {
      value = next<T>();
    }
  }

  const pqxx::row& row_;
  pqxx::row::size_type column_ = 0;
};

/// Throws std::logic_error unless the statement changed exactly one row: the caller had read that row before.
void expect_one_row(const pqxx::result& result, const char* what);

}  // namespace belfry::storage
