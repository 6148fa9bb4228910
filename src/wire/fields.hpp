#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "belfry/core/error.hpp"
#include "belfry/core/text.hpp"
#include "belfry/wire/value.hpp"
#include "wire/names.hpp"

/// Strict reading of a body by a table of its fields.
namespace belfry::wire {

/// Findings about one body: all of them are told at once, the first names the message.
class Issues {
 public:
  void add(std::string field, std::string issue);
  void add(core::Error error);
  bool empty() const { return details_.empty(); }
  core::Error take();

 private:
  std::vector<core::FieldIssue> details_;
};

/// Where a reader of one value stands: the field's name, and where it puts what it finds.
struct FieldContext {
  std::string name;
  Issues& issues;

  void refuse(std::string issue) const { issues.add(name, std::move(issue)); }
};

template <class Command>
struct Field {
  std::string_view name;
  bool required = false;
  void (*read)(Command&, const Value&, const FieldContext&);
};

/// Reads every field of `object` by the table. Unknown and missing fields are findings. `prefix` names the place of a
/// nested object.
template <class Command>
void read_fields(Command& command, const Value& object, std::span<const Field<Command>> table, Issues& issues,
                 std::string_view prefix = "") {
  for (std::size_t i = 0; i < object.items.size(); ++i) {
    const Field<Command>* known = nullptr;
    for (const auto& field : table) {
      if (field.name == object.names[i]) known = &field;
    }
    const std::string name = std::string(prefix) + shown_name(object.names[i]);
    if (known == nullptr) {
      issues.add(name, "is not a known field");
    } else {
      known->read(command, object.items[i], FieldContext{name, issues});
    }
  }
  for (const auto& field : table) {
    if (field.required && object.find(field.name) == nullptr) {
      issues.add(std::string(prefix) + std::string(field.name), "is required");
    }
  }
}

/// A whole body into a command: parsed, an object, every field as the table says.
template <class Command>
core::Result<Command> decode_body(std::string_view body, std::span<const Field<Command>> table,
                                  void (*check)(const Command&, Issues&) = nullptr) {
  auto object = parse_object(body, "body");
  if (!object) return core::fail(std::move(object.error()));
  Command command{};
  Issues issues;
  read_fields(command, *object, table, issues);
  if (issues.empty() && check != nullptr) check(command, issues);
  if (!issues.empty()) return core::fail(issues.take());
  return command;
}

// Readers of one value. Empty: the finding is already noted.
std::optional<std::string> read_text(const Value& value, const FieldContext& at, const core::TextRules& rules);
std::optional<std::string> read_string(const Value& value, const FieldContext& at);
std::optional<bool> read_bool(const Value& value, const FieldContext& at);
std::optional<std::int64_t> read_integer(const Value& value, const FieldContext& at, std::int64_t min,
                                         std::int64_t max);
std::optional<core::TimePoint> read_time(const Value& value, const FieldContext& at);
/// Entitlement and feature keys.
std::optional<std::string> read_key(const Value& value, const FieldContext& at);

template <class E, std::size_t N>
std::optional<E> read_name(const Value& value, const FieldContext& at, const NameTable<E, N>& table) {
  if (value.is(Value::Kind::kString)) {
    for (const auto& [known, name] : table) {
      if (name == value.text) return known;
    }
  }
  std::string names;
  for (const auto& [known, name] : table) names += (names.empty() ? "" : ", ") + std::string(name);
  at.refuse("must be one of " + names);
  return std::nullopt;
}

/// For fields that may be null: null clears (an inner empty), anything else is read by `read`.
template <class T, class Read>
void read_nullable(std::optional<std::optional<T>>& into, const Value& value, Read&& read) {
  if (value.is(Value::Kind::kNull)) {
    into.emplace(std::nullopt);
  } else if (auto got = read()) {
    into.emplace(std::move(*got));
  }
}

/// The same for creating, where null is as if absent.
template <class T, class Read>
void read_optional(std::optional<T>& into, const Value& value, Read&& read) {
  if (!value.is(Value::Kind::kNull)) into = read();
}

/// For fields that must have a value: `into` keeps what it has when the value is refused.
template <class T, class V>
void assign(T& into, std::optional<V> got) {
  if (got) into = std::move(*got);
}

}  // namespace belfry::wire
