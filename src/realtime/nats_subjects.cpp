#include "nats_subjects.hpp"

#include <charconv>
#include <cstdint>

namespace belfry::realtime {

namespace {

/// Plain decimal of a number that is not negative.
std::optional<std::int64_t> number(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value < 0) return std::nullopt;
  return text.size() > 1 && text.front() == '0' ? std::nullopt : std::optional(value);
}

std::string_view take_last(std::string_view& subject) {
  const auto dot = subject.rfind('.');
  if (dot == std::string_view::npos) return {};
  const auto token = subject.substr(dot + 1);
  subject = subject.substr(0, dot);
  return token;
}

}  // namespace

std::string NatsSubjects::room(const domain::RoomKey& room) const {
  return prefix_ + "room." + std::to_string(static_cast<int>(room.kind)) + "." + std::to_string(room.key);
}

std::optional<domain::LogHint> parse_nats_hint(std::string_view subject, std::string_view payload) {
  const auto key = number(take_last(subject));
  const auto kind = number(take_last(subject));
  const auto last_seq = number(payload);
  if (!key || !kind || !last_seq || *last_seq == 0) return std::nullopt;
  if (*kind > static_cast<std::int64_t>(domain::RoomKind::kDiscussion)) return std::nullopt;
  return domain::LogHint{{static_cast<domain::RoomKind>(*kind), *key}, *last_seq};
}

}  // namespace belfry::realtime
