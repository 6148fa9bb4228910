#include "nats_hints.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "belfry/core/mac.hpp"
#include "belfry/core/text.hpp"
#include "belfry/wire/events.hpp"

namespace belfry::realtime {

namespace {

/// Of a message with records: position, signature, timeline and what is between them.
constexpr std::size_t kFrameBytes = 192;
constexpr std::size_t kSignatureBytes = 64;

std::string_view take_last(std::string_view& subject) {
  const auto dot = subject.rfind('.');
  if (dot == std::string_view::npos) return {};
  const auto token = subject.substr(dot + 1);
  subject = subject.substr(0, dot);
  return token;
}

std::optional<domain::RoomKey> room_of(std::string_view subject) {
  const auto key = core::parse_non_negative_decimal(take_last(subject));
  const auto kind = core::parse_non_negative_decimal(take_last(subject));
  if (!key || !kind || *kind > static_cast<std::int64_t>(domain::RoomKind::kDiscussion)) return std::nullopt;
  return domain::RoomKey{static_cast<domain::RoomKind>(*kind), *key};
}

/// Records that follow each other, as many as fit into one message.
struct Stretch {
  std::vector<std::string> records;
  std::size_t bytes = kFrameBytes;
  std::int64_t last_seq = 0;
};

}  // namespace

std::string NatsHints::room(const domain::RoomKey& room) const {
  return prefix_ + "room." + std::to_string(static_cast<int>(room.kind)) + "." + std::to_string(room.key);
}

std::string NatsHints::sign(std::string_view subject, std::string_view position, std::string_view records) const {
  std::string text;
  text.reserve(subject.size() + position.size() + records.size() + 2);
  text.append(subject).append("\n").append(position).append("\n").append(records);
  return core::to_hex(core::hmac_sha256(key_, text));
}

std::vector<std::string> NatsHints::say(const domain::LogHint& hint, std::size_t max_bytes) const {
  const auto most = std::min(max_bytes, kMostBytes);
  const auto subject = room(hint.room);
  std::vector<std::string> said;
  Stretch stretch;
  std::int64_t told = 0;
  const auto end = [&] {
    if (stretch.records.empty()) return;
    const auto position = std::to_string(stretch.last_seq);
    const auto records = wire::encode_records(hint.timeline, stretch.records);
    said.push_back(position + "\n" + sign(subject, position, records) + "\n" + records);
    told = stretch.last_seq;
    stretch = {};
  };
  for (const auto& event : hint.events) {
    auto record = wire::encode_record(*event);
    const auto bytes = record.size() + 1;
    if (kFrameBytes + bytes > most) break;
    if (stretch.bytes + bytes > most || stretch.last_seq + 1 != event->seq) end();
    stretch.records.push_back(std::move(record));
    stretch.bytes += bytes;
    stretch.last_seq = event->seq;
  }
  end();
  if (told < hint.last_seq) said.push_back(std::to_string(hint.last_seq));
  return said;
}

std::optional<domain::LogHint> NatsHints::hear(std::string_view subject, std::string_view text) const {
  const auto room = room_of(subject);
  const auto position = text.substr(0, text.find('\n'));
  const auto last_seq = core::parse_positive_decimal(position);
  if (!room || !last_seq) return std::nullopt;
  domain::LogHint hint{.room = *room, .last_seq = *last_seq};
  if (text.size() == position.size() || text.size() > kMostBytes) return hint;
  text.remove_prefix(position.size() + 1);
  const auto signature = text.substr(0, text.find('\n'));
  if (signature.size() != kSignatureBytes || text.size() == kSignatureBytes) return hint;
  text.remove_prefix(kSignatureBytes + 1);
  if (!core::same_secret(signature, sign(subject, position, text))) return hint;
  auto records = wire::decode_records(*room, text);
  if (!records || records->events.back()->seq != *last_seq) return hint;
  hint.timeline = records->timeline;
  hint.events = std::move(records->events);
  return hint;
}

void merge(domain::LogHint& into, domain::LogHint more, std::size_t most) {
  into.last_seq = std::max(into.last_seq, more.last_seq);
  if (into.events.empty() || more.timeline > into.timeline) {
    into.events.clear();
    into.timeline = more.timeline;
  }
  if (more.timeline != into.timeline || into.events.size() + more.events.size() > most) return;
  std::ranges::move(more.events, std::back_inserter(into.events));
  // Commits of several threads are told in any order.
  std::ranges::sort(into.events, {}, [](const domain::SharedEvent& event) { return event->seq; });
}

}  // namespace belfry::realtime
