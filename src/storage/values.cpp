#include "storage/values.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <stdexcept>

#include <fmt/format.h>

namespace belfry::storage {
namespace {

using std::chrono::milliseconds;

constexpr core::TimePoint first_of(int year) {
  return std::chrono::sys_days{std::chrono::year{year} / std::chrono::January / 1};
}

int hex_digit(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  throw std::runtime_error("storage: not a hexadecimal digit");
}

}  // namespace

std::string to_sql(const core::Uuid& value) { return value.text(); }

std::string to_sql(core::TimePoint value) {
  const auto at = std::clamp(value, first_of(1), first_of(10000) - milliseconds{1});
  const auto day = std::chrono::floor<std::chrono::days>(at);
  const std::chrono::year_month_day date{day};
  const std::chrono::hh_mm_ss time{at - day};
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), time.hours().count(),
                     time.minutes().count(), time.seconds().count(), time.subseconds().count());
}

std::string from_hex(std::string_view digits) {
  if (digits.size() % 2 != 0) throw std::runtime_error("storage: half a hexadecimal byte");
  std::string bytes;
  bytes.reserve(digits.size() / 2);
  for (std::size_t i = 0; i < digits.size(); i += 2) {
    bytes.push_back(static_cast<char>(hex_digit(digits[i]) * 16 + hex_digit(digits[i + 1])));
  }
  return bytes;
}

void ArrayText::add(const Param& element) {
  if (!elements_.empty()) elements_.push_back(',');
  if (!element) {
    elements_ += "NULL";
    return;
  }
  elements_.push_back('"');
  for (const char c : *element) {
    if (c == '"' || c == '\\') elements_.push_back('\\');
    elements_.push_back(c);
  }
  elements_.push_back('"');
}

std::string_view RowReader::text(const pqxx::field& field) const {
  if (field.is_null()) throw std::runtime_error(fmt::format("storage: column {} is null", field.name()));
  return {field.c_str(), field.size()};
}

std::int64_t RowReader::number() {
  const auto column = field();
  const auto digits = text(column);
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc{} || end != digits.data() + digits.size()) {
    throw std::runtime_error(fmt::format("storage: column {} is no number", column.name()));
  }
  return value;
}

void RowReader::read(bool& value) { value = text(field()) == "t"; }

void RowReader::read(std::string& value) { value = text(field()); }

void RowReader::read(core::Uuid& value) {
  const auto column = field();
  const auto parsed = core::Uuid::parse(text(column));
  if (!parsed) throw std::runtime_error(fmt::format("storage: column {} is no uuid", column.name()));
  value = *parsed;
}

void RowReader::read(core::TimePoint& value) { value = core::TimePoint{milliseconds{number()}}; }

void expect_one_row(const pqxx::result& result, const char* what) {
  if (result.affected_rows() != 1) {
    throw std::logic_error(fmt::format("storage: {} touched {} rows", what, result.affected_rows()));
  }
}

}  // namespace belfry::storage
