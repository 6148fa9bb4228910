#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "auth/token.hpp"

namespace belfry::auth {

/// Tokens whose signature held, by their whole text, so that who asks often costs one signature. Their times are not
/// judged here. In two generations: what nobody asked for while the younger one filled is forgotten. One thread.
class VerifiedTokens {
 public:
  struct Known {
    Claims claims;
    bool by_secret = false;  ///< else by a public key, which may be withdrawn
  };

  /// Null: not known. Valid until the next call.
  const Known* find(std::string_view token) {
    if (const auto found = young_.find(token); found != young_.end()) return &found->second;
    const auto found = old_.find(token);
    if (found == old_.end()) return nullptr;
    auto known = std::move(found->second);
    old_.erase(found);
    return &put(token, std::move(known));
  }
  const Known& put(std::string_view token, Known known) {
    if (bytes_ + token.size() + kOverhead > kGeneration) {
      old_ = std::exchange(young_, {});
      bytes_ = 0;
    }
    const auto [at, added] = young_.insert_or_assign(std::string(token), std::move(known));
    if (added) bytes_ += token.size() + kOverhead;
    return at->second;
  }
  void forget_public() {
    const auto by_key = [](const auto& entry) { return !entry.second.by_secret; };
    std::erase_if(young_, by_key);
    std::erase_if(old_, by_key);
  }
  std::size_t size() const { return young_.size() + old_.size(); }

 private:
  /// Of a generation's texts and entries.
  static constexpr std::size_t kGeneration = std::size_t{4} << 20;
  /// Of an entry besides its text, roughly.
  static constexpr std::size_t kOverhead = 512;

  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };
  using Map = std::unordered_map<std::string, Known, Hash, std::equal_to<>>;
  Map young_;
  Map old_;
  std::size_t bytes_ = 0;  ///< of the young ones
};

}  // namespace belfry::auth
