#include "auth/json_members.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

namespace belfry::auth {
namespace {

constexpr int kMaxDepth = 16;

}  // namespace

/// Hears the parser's events. False ends the parse.
class JsonMembers::Builder {
 public:
  explicit Builder(std::vector<Member>& members) : members_(members) {}

  bool null() { return depth_ > 0; }
  bool boolean(bool) { return depth_ > 0; }
  bool number_integer(nlohmann::json::number_integer_t value) { return number(static_cast<double>(value)); }
  bool number_unsigned(nlohmann::json::number_unsigned_t value) { return number(static_cast<double>(value)); }
  bool number_float(nlohmann::json::number_float_t value, const std::string&) { return number(value); }
  bool string(std::string& text) {
    if (depth_ == 1) {
      members_.back().value.kind = Value::Kind::kText;
      members_.back().value.text = std::move(text);
    } else if (depth_ == 2 && members_.back().value.kind == Value::Kind::kArray) {
      members_.back().value.texts.push_back(std::move(text));
    }
    return depth_ > 0;
  }
  bool binary(nlohmann::json::binary_t&) { return false; }
  bool key(std::string& name) {
    if (depth_ == 1) members_.push_back({std::move(name), {}});
    return true;
  }
  bool start_object(std::size_t) { return deeper(); }
  bool end_object() { return ended(); }
  bool start_array(std::size_t) {
    if (depth_ == 0) return false;
    if (depth_ == 1) members_.back().value.kind = Value::Kind::kArray;
    return deeper();
  }
  bool end_array() { return ended(); }
  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception&) { return false; }

 private:
  bool number(double value) {
    if (depth_ == 1) {
      members_.back().value.kind = Value::Kind::kNumber;
      members_.back().value.number = value;
    }
    return depth_ > 0;
  }
  bool deeper() { return ++depth_ <= kMaxDepth; }
  bool ended() {
    --depth_;
    return true;
  }

  std::vector<Member>& members_;
  int depth_ = 0;
};

std::optional<JsonMembers> JsonMembers::read(std::string_view text) {
  std::optional<JsonMembers> read(std::in_place);
  Builder builder(read->members_);
  if (!nlohmann::json::sax_parse(text.begin(), text.end(), &builder)) read.reset();
  return read;
}

const JsonMembers::Value* JsonMembers::find(std::string_view name) const {
  const auto found =
      std::find_if(members_.rbegin(), members_.rend(), [&](const auto& one) { return one.name == name; });
  return found == members_.rend() ? nullptr : &found->value;
}

}  // namespace belfry::auth
