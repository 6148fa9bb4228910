#include "belfry/wire/value.hpp"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <unordered_set>
#include <utility>

#include "wire/writer.hpp"

namespace belfry::wire {
namespace {

using core::Error;

/// Builds a Value from parser events. A refused value does not stop the parse: text that is no JSON at all is the
/// graver finding.
class Builder {
 public:
  using number_integer_t = nlohmann::json::number_integer_t;
  using number_unsigned_t = nlohmann::json::number_unsigned_t;
  using number_float_t = nlohmann::json::number_float_t;
  using string_t = nlohmann::json::string_t;
  using binary_t = nlohmann::json::binary_t;

  explicit Builder(std::string_view where) : where_(where) {}

  bool null() { return add({}); }

  bool boolean(bool value) {
    Value made;
    made.kind = Value::Kind::kBool;
    made.boolean = value;
    return add(std::move(made));
  }

  bool number_integer(number_integer_t value) {
    Value made;
    made.kind = Value::Kind::kInteger;
    made.integer = value;
    return add(std::move(made));
  }

  bool number_unsigned(number_unsigned_t value) {
    if (value <= static_cast<number_unsigned_t>(std::numeric_limits<std::int64_t>::max())) {
      return number_integer(static_cast<number_integer_t>(value));
    }
    return number_text(std::to_string(value));
  }

  bool number_float(number_float_t, const string_t& text) { return number_text(text); }

  bool string(string_t& text) {
    refuse_nul(text);
    Value made;
    made.kind = Value::Kind::kString;
    made.text = std::move(text);
    return add(std::move(made));
  }

  bool binary(binary_t&) { return false; }

  bool start_object(std::size_t) { return open(Value::Kind::kObject); }
  bool end_object() { return close(); }
  bool start_array(std::size_t) { return open(Value::Kind::kArray); }
  bool end_array() { return close(); }

  bool key(string_t& name) {
    if (stack_.size() == 1) where_ = name;
    refuse_nul(name);
    if (stack_.back().has(name)) refuse("is given more than once");
    stack_.back().value.names.push_back(std::move(name));
    return true;
  }

  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception& failure) {
    constexpr int kNumberOverflow = 406;
    // A number beyond a double is JSON, but nothing that could be given back to a client.
    if (failure.id == kNumberOverflow) refuse("has a number out of range");
    number_overflow_ = failure.id == kNumberOverflow;
    return false;
  }

  bool too_deep() const { return too_deep_; }
  bool number_overflow() const { return number_overflow_; }
  std::optional<Error>& refusal() { return refusal_; }
  Value& root() { return root_; }

 private:
  struct Frame {
    Value value;
    std::unordered_set<std::string> seen;  ///< the names, once they are many

    /// Also remembers it.
    bool has(const std::string& name) {
      constexpr std::size_t kFew = 16;
      const auto& names = value.names;
      if (names.size() < kFew) return std::ranges::find(names, name) != names.end();
      if (seen.empty()) seen.insert(names.begin(), names.end());
      return !seen.insert(name).second;
    }
  };

  bool number_text(std::string text) {
    Value made;
    made.kind = Value::Kind::kNumber;
    made.text = std::move(text);
    return add(std::move(made));
  }

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
    if (!refusal_) refusal_ = Error::invalid(shown_name(where_), std::move(issue));
  }

  std::vector<Frame> stack_;
  std::string where_;  ///< what a refusal names
  Value root_;
  std::optional<Error> refusal_;
  bool too_deep_ = false;
  bool number_overflow_ = false;
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

/// `fits` says whether a root is of the kind that is wanted: the graver finding than a value that is refused.
template <class Fits>
core::Result<Value> parse(std::string_view text, std::string_view where, Fits fits) {
  // The parser takes a NUL byte for the end of input and skips a byte order mark: neither is JSON (RFC 8259).
  if (text.find('\0') != std::string_view::npos || text.starts_with("\xef\xbb\xbf")) {
    return core::fail(Error::malformed(std::string(where), "must be valid JSON"));
  }
  Builder builder(where);
  const bool parsed = nlohmann::json::sax_parse(text.begin(), text.end(), &builder);
  if (builder.too_deep()) return core::fail(Error::malformed(std::string(where), "is nested too deeply"));
  if (!parsed && !builder.number_overflow())
    return core::fail(Error::malformed(std::string(where), "must be valid JSON"));
  if (parsed && !fits(builder.root())) {
    return core::fail(Error::malformed(std::string(where), "must be a JSON object"));
  }
  if (builder.refusal()) return core::fail(std::move(*builder.refusal()));
  return std::move(builder.root());
}

}  // namespace

const Value* Value::find(std::string_view name) const {
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i] == name) return &items[i];
  }
  return nullptr;
}

core::Result<Value> parse_value(std::string_view text, std::string_view where) {
  return parse(text, where, [](const Value&) { return true; });
}

core::Result<Value> parse_object(std::string_view text, std::string_view where) {
  return parse(text, where, [](const Value& root) { return root.is(Value::Kind::kObject); });
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
