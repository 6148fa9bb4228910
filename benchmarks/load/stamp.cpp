#include "stamp.hpp"

#include <charconv>

#include <fmt/core.h>

namespace bench {
namespace {

constexpr std::string_view kMark = "\"k=";
constexpr std::size_t kMessageDigits = 10;
constexpr std::size_t kTimeDigits = 19;
constexpr std::size_t kTimeAt = kMark.size() + kMessageDigits + 3;  // " t="

}  // namespace

std::string stamped_text(const Stamp& stamp, std::size_t padding) {
  return fmt::format("k={:010d} t={:019d} {}", stamp.message, stamp.due_ns, std::string(padding, '.'));
}

std::optional<Stamp> StampReader::read(std::string_view payload) {
  if (payload.substr(std::min(last_, payload.size()), kMark.size()) != kMark) {
    const auto found = payload.find(kMark);
    if (found == std::string_view::npos) return std::nullopt;
    last_ = found;
  }
  const auto text = payload.substr(last_);
  if (text.size() < kTimeAt + kTimeDigits) return std::nullopt;
  Stamp stamp;
  const char* at = text.data() + kMark.size();
  std::from_chars(at, at + kMessageDigits, stamp.message);
  at = text.data() + kTimeAt;
  std::from_chars(at, at + kTimeDigits, stamp.due_ns);
  return stamp;
}

}  // namespace bench
