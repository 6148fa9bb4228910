#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "belfry/core/result.hpp"

namespace belfry::wire {

/// A parsed JSON value. Numbers that are no 64-bit integers keep their text, so that nothing is rounded on the way
/// through.
struct Value {
  enum class Kind : std::uint8_t { kNull, kBool, kInteger, kNumber, kString, kArray, kObject };

  Kind kind = Kind::kNull;
  bool boolean = false;
  std::int64_t integer = 0;
  std::string text;                ///< a string's content, or a kNumber as it was written
  std::vector<std::string> names;  ///< of an object's fields, in their order, parallel to `items`
  std::vector<Value> items;        ///< of an array or an object

  bool is(Kind k) const { return kind == k; }
  const Value* find(std::string_view name) const;
  Value* find(std::string_view name) { return const_cast<Value*>(std::as_const(*this).find(name)); }
};

inline constexpr std::size_t kMaxDepth = 64;

/// Parses hostile text. kMalformed on field `where`: no JSON, deeper than kMaxDepth. kInvalid naming the top-level
/// field, or `where` outside of any: a name given twice in one object (neither value is taken), U+0000 in a string, a
/// number beyond a double.
core::Result<Value> parse_value(std::string_view text, std::string_view where);
/// The same for an object: anything else is kMalformed.
core::Result<Value> parse_object(std::string_view text, std::string_view where);

/// Compact JSON text, fields in their order.
std::string dump(const Value& value);

/// A client's field name as it may stand in an answer: cut to a readable length.
std::string shown_name(std::string_view name);

}  // namespace belfry::wire
