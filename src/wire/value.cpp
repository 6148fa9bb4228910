#include "wire/value.hpp"

#include <algorithm>
#include <optional>
#include <unordered_set>
#include <utility>

#include "belfry/core/json_reader.hpp"
#include "wire/writer.hpp"

namespace belfry::wire {
namespace {

using core::Error;

/// Builds a Value from parser events. A refused value does not stop the parse: text that is no JSON at all is the
/// graver finding.
class Builder final : public core::JsonEvents {
 public:
  bool null() override { return add({}); }

  bool boolean(bool value) override {
    Value made;
    made.kind = Value::Kind::kBool;
    made.boolean = value;
    return add(std::move(made));
  }

  bool integer(std::int64_t value) override {
    Value made;
    made.kind = Value::Kind::kInteger;
    made.integer = value;
    return add(std::move(made));
  }

  bool number(std::string_view text) override {
    Value made;
    made.kind = Value::Kind::kNumber;
    made.text = text;
    return add(std::move(made));
  }

  bool string(std::string_view text) override {
    refuse_nul(text);
    Value made;
    made.kind = Value::Kind::kString;
    made.text = text;
    return add(std::move(made));
  }

  bool begin_object() override { return open(Value::Kind::kObject); }
  bool end_object() override { return close(); }
  bool begin_array() override { return open(Value::Kind::kArray); }
  bool end_array() override { return close(); }

  bool key(std::string_view name) override {
    if (stack_.size() == 1) top_name_ = name;
    refuse_nul(name);
    auto& frame = stack_.back();
    if (frame.has(name)) refuse("is given more than once");
    frame.value.names.emplace_back(name);
    return true;
  }

  /// A number beyond a double is JSON, but nothing that could be given back to a client.
  void refuse_number() { refuse("has a number out of range"); }

  bool too_deep() const { return too_deep_; }
  std::optional<Error>& refusal() { return refusal_; }
  Value& root() { return root_; }

 private:
  struct Frame {
    Value value;
    std::unordered_set<std::string> seen;  ///< of an object with many fields: else looking at each is less

    bool has(std::string_view name) {
      constexpr std::size_t kFew = 16;
      const auto& names = value.names;
      if (names.size() < kFew) return std::ranges::find(names, name) != names.end();
      if (seen.empty()) seen.insert(names.begin(), names.end());
      return !seen.emplace(name).second;
    }
  };

  bool open(Value::Kind kind) {
    if (stack_.size() >= kMaxDepth) {
      too_deep_ = true;
      return false;
    }
    stack_.emplace_back();
    stack_.back().value.kind = kind;
    return true;
  }

  bool close() {
    Value made = std::move(stack_.back().value);
    stack_.pop_back();
    return add(std::move(made));
  }

  bool add(Value value) {
    if (stack_.empty()) {
      root_ = std::move(value);
    } else {
      stack_.back().value.items.push_back(std::move(value));
    }
    return true;
  }

  void refuse_nul(std::string_view text) {
    if (text.find('\0') != std::string_view::npos) refuse("must not contain U+0000");
  }

  void refuse(std::string issue) {
    if (!refusal_) refusal_ = Error::invalid(shown_name(top_name_), std::move(issue));
  }

  std::vector<Frame> stack_;
  std::string top_name_;
  Value root_;
  std::optional<Error> refusal_;
  bool too_deep_ = false;
};

void dump_to(const Value& value, JsonWriter& out) {
  switch (value.kind) {
    case Value::Kind::kNull:
      out.null();
      break;
    case Value::Kind::kBool:
      out.value(value.boolean);
      break;
    case Value::Kind::kInteger:
      out.value(value.integer);
      break;
    case Value::Kind::kNumber:
      out.raw(value.text);
      break;
    case Value::Kind::kString:
      out.value(std::string_view(value.text));
      break;
    case Value::Kind::kArray:
      out.begin_array();
      for (const auto& item : value.items) dump_to(item, out);
      out.end_array();
      break;
    case Value::Kind::kObject:
      out.begin_object();
      for (std::size_t i = 0; i < value.items.size(); ++i) {
        out.key(value.names[i]);
        dump_to(value.items[i], out);
      }
      out.end_object();
      break;
  }
}

}  // namespace

const Value* Value::find(std::string_view name) const {
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i] == name) return &items[i];
  }
  return nullptr;
}

core::Result<Value> parse_object(std::string_view text, std::string_view where) {
  Builder builder;
  const auto end = core::read_json(text, builder);
  if (builder.too_deep()) return core::fail(Error::malformed(std::string(where), "is nested too deeply"));
  if (end == core::JsonEnd::kMalformed) return core::fail(Error::malformed(std::string(where), "must be valid JSON"));
  if (end == core::JsonEnd::kTooLarge) builder.refuse_number();
  if (end == core::JsonEnd::kRead && !builder.root().is(Value::Kind::kObject)) {
    return core::fail(Error::malformed(std::string(where), "must be a JSON object"));
  }
  if (builder.refusal()) return core::fail(std::move(*builder.refusal()));
  return std::move(builder.root());
}

std::string dump(const Value& value) {
  JsonWriter out;
  dump_to(value, out);
  return std::move(out).text();
}

std::string shown_name(std::string_view name) {
  constexpr std::size_t kMaxShown = 64;
  return std::string(name.substr(0, kMaxShown));
}

}  // namespace belfry::wire
