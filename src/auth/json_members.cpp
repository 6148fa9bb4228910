#include "auth/json_members.hpp"

#include <algorithm>
#include <cstdlib>

namespace belfry::auth {
namespace {

constexpr int kMaxDepth = 16;

}  // namespace

std::optional<JsonMembers> JsonMembers::read(std::string_view text) {
  std::optional<JsonMembers> members(std::in_place);
  if (core::read_json(text, *members) != core::JsonEnd::kRead) members.reset();
  return members;
}

const JsonMembers::Value* JsonMembers::find(std::string_view name) const {
  const auto found =
      std::find_if(members_.rbegin(), members_.rend(), [&](const auto& one) { return one.name == name; });
  return found == members_.rend() ? nullptr : &found->value;
}

bool JsonMembers::number(std::string_view text) { return number(std::strtod(std::string(text).c_str(), nullptr)); }

bool JsonMembers::number(double value) {
  if (depth_ == 1) {
    members_.back().value.kind = Value::Kind::kNumber;
    members_.back().value.number = value;
  }
  return depth_ > 0;
}

bool JsonMembers::string(std::string_view text) {
  if (depth_ == 1) {
    members_.back().value.kind = Value::Kind::kText;
    members_.back().value.text = text;
  } else if (depth_ == 2 && members_.back().value.kind == Value::Kind::kArray) {
    members_.back().value.texts.emplace_back(text);
  }
  return depth_ > 0;
}

bool JsonMembers::key(std::string_view name) {
  if (depth_ == 1) members_.push_back({std::string(name), {}});
  return true;
}

bool JsonMembers::begin_array() {
  if (depth_ == 0) return false;
  if (depth_ == 1) members_.back().value.kind = Value::Kind::kArray;
  return deeper();
}

bool JsonMembers::deeper() { return ++depth_ <= kMaxDepth; }

bool JsonMembers::ended() {
  --depth_;
  return true;
}

}  // namespace belfry::auth
