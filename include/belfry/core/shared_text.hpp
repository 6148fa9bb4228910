#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <utility>

namespace belfry::core {

/// Text that many are answered with, and its packed form from the time somebody first wants that. Made on any thread,
/// then used on one.
class SharedText {
 public:
  explicit SharedText(std::string text) : text_(std::move(text)) {}

  const std::string& text() const { return text_; }
  /// What `pack(text)` gave when it was first asked for; empty: it did not make the text smaller.
  template <class Pack>
  const std::optional<std::string>& packed(Pack&& pack) const {
    if (!tried_) packed_ = pack(text_);
    tried_ = true;
    return packed_;
  }
  /// What both take. Grows once.
  std::size_t bytes() const { return text_.size() + (packed_ ? packed_->size() : 0); }

 private:
  std::string text_;
  mutable std::optional<std::string> packed_;
  mutable bool tried_ = false;
};

}  // namespace belfry::core
