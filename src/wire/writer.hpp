#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "belfry/core/ids.hpp"
#include "belfry/core/time.hpp"

namespace belfry::wire {

/// Appends a JSON string literal; bytes that are no UTF-8 become U+FFFD.
void append_json_string(std::string& out, std::string_view text);

/// Writes compact JSON in the order of the calls. The caller keeps objects and arrays balanced.
class JsonWriter {
 public:
  void begin_object() { open('{'); }
  void end_object() { out_ += '}'; }
  void begin_array() { open('['); }
  void end_array() { out_ += ']'; }

  void key(std::string_view name);
  void null() { raw("null"); }
  void raw(std::string_view json) {
    separate();
    out_ += json;
  }
  void value(std::string_view text) {
    separate();
    append_json_string(out_, text);
  }
  void value(const std::string& text) { value(std::string_view(text)); }
  void value(const char* text) { value(std::string_view(text)); }
  template <std::same_as<bool> Bool>
  void value(Bool b) {
    raw(b ? "true" : "false");
  }
  template <std::integral Int>
    requires(!std::same_as<Int, bool>)
  void value(Int number) {
    raw(std::to_string(number));
  }
  void value(core::TimePoint at) { value(core::format_iso8601(at)); }
  void value(const core::Uuid& id) { value(id.text()); }
  template <class Tag>
  void value(const core::UuidId<Tag>& id) {
    value(id.value);
  }
  template <class Tag>
  void value(const core::NumericId<Tag>& id) {
    value(id.value);
  }
  template <class T>
  void value(const std::optional<T>& maybe) {
    if (maybe) {
      value(*maybe);
    } else {
      null();
    }
  }

  template <class T>
  void field(std::string_view name, const T& v) {
    key(name);
    value(v);
  }
  void raw_field(std::string_view name, std::string_view json) {
    key(name);
    raw(json);
  }

  std::size_t size() const { return out_.size(); }
  std::string text() && { return std::move(out_); }

 private:
  void open(char bracket) {
    separate();
    out_ += bracket;
  }
  void separate();

  std::string out_;
};

}  // namespace belfry::wire
