#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace belfry::auth {

/// The members of a JSON object, as far as tokens need their values. Of one that is given twice the last counts.
class JsonMembers {
 public:
  struct Value {
    enum class Kind : std::uint8_t { kOther, kText, kNumber, kArray };
    Kind kind = Kind::kOther;
    std::string text;
    double number = 0;
    std::vector<std::string> texts;  ///< the strings of an array

    bool is_text() const { return kind == Kind::kText; }
  };

  /// Empty: no JSON object, or one that is nested deeper than any token of ours.
  static std::optional<JsonMembers> read(std::string_view text);

  /// Null: there is none.
  const Value* find(std::string_view name) const;

 private:
  struct Member {
    std::string name;
    Value value;
  };
  class Builder;

  std::vector<Member> members_;
};

}  // namespace belfry::auth
