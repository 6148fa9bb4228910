#include "wire/fields.hpp"

namespace belfry::wire {

void Issues::add(std::string field, std::string issue) {
  constexpr std::size_t kMaxTold = 20;
  if (details_.size() < kMaxTold) details_.push_back({std::move(field), std::move(issue)});
}

void Issues::add(core::Error error) {
  for (auto& detail : error.details) add(std::move(detail.field), std::move(detail.issue));
}

core::Error Issues::take() {
  auto error = core::Error::invalid(details_.front().field, details_.front().issue);
  error.details = std::move(details_);
  return error;
}

std::optional<std::string> read_string(const Value& value, const FieldContext& at) {
  if (value.is(Value::Kind::kString)) return value.text;
  at.refuse(value.is(Value::Kind::kNull) ? "must not be null" : "must be a string");
  return std::nullopt;
}

std::optional<std::string> read_text(const Value& value, const FieldContext& at, const core::TextRules& rules) {
  const auto raw = read_string(value, at);
  if (!raw) return std::nullopt;
  auto text = core::normalise_text(*raw, rules, at.name);
  if (text) return std::move(*text);
  at.issues.add(std::move(text.error()));
  return std::nullopt;
}

std::optional<bool> read_bool(const Value& value, const FieldContext& at) {
  if (value.is(Value::Kind::kBool)) return value.boolean;
  at.refuse("must be true or false");
  return std::nullopt;
}

std::optional<std::int64_t> read_integer(const Value& value, const FieldContext& at, std::int64_t min,
                                         std::int64_t max) {
  if (value.is(Value::Kind::kInteger) && value.integer >= min && value.integer <= max) return value.integer;
  at.refuse("must be an integer from " + std::to_string(min) + " to " + std::to_string(max));
  return std::nullopt;
}

std::optional<core::TimePoint> read_time(const Value& value, const FieldContext& at) {
  if (value.is(Value::Kind::kString)) {
    const auto time = core::parse_iso8601(value.text);
    // An offset can carry the last hours of 9999 into a year that the format cannot show.
    if (time && core::parse_iso8601(core::format_iso8601(*time))) return time;
  }
  at.refuse("must be an ISO 8601 time with a time zone");
  return std::nullopt;
}

std::optional<std::string> read_key(const Value& value, const FieldContext& at) {
  if (value.is(Value::Kind::kString) && core::is_key_text(value.text)) return value.text;
  at.refuse("must be 1 to 128 characters of A-Z, a-z, 0-9, '.', '_', ':' and '-'");
  return std::nullopt;
}

}  // namespace belfry::wire
