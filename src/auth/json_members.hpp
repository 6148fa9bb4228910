#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "belfry/core/json_reader.hpp"

namespace belfry::auth {

/// The members of a JSON object, as far as tokens need their values. Of one that is given twice the last counts.
class JsonMembers final : private core::JsonEvents {
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

  bool null() override { return depth_ > 0; }
  bool boolean(bool) override { return depth_ > 0; }
  bool integer(std::int64_t value) override { return number(static_cast<double>(value)); }
  bool number(std::string_view text) override;
  bool string(std::string_view text) override;
  bool key(std::string_view name) override;
  bool begin_object() override { return deeper(); }
  bool end_object() override { return ended(); }
  bool begin_array() override;
  bool end_array() override { return ended(); }

  bool number(double value);
  bool deeper();
  bool ended();

  int depth_ = 0;
  std::vector<Member> members_;
};

}  // namespace belfry::auth
