#include "dialects/socketio/recovery.hpp"

#include <algorithm>
#include <utility>

#include "belfry/auth/authenticator.hpp"
#include "belfry/core/base64.hpp"

namespace belfry::dialects::socketio {
namespace {

constexpr char kVersion = 1;
constexpr std::size_t kMacBytes = 16;
constexpr std::size_t kIdBytes = 16;
constexpr std::size_t kKeyBytes = 8;
constexpr std::size_t kRoomBytes = 1 + kKeyBytes + kIdBytes;
constexpr std::size_t kPidBytes = kIdBytes + 8 + 8;
constexpr std::size_t kMaxOffsetBytes = 2 + kMaxOffsetRooms * kRoomBytes + kMacBytes;
constexpr std::string_view kOffset{"offset\0", 7};
constexpr std::string_view kPid{"pid\0", 4};

template <std::size_t kSize>
void put(std::string& out, const std::array<std::uint8_t, kSize>& bytes) {
  out.append(reinterpret_cast<const char*>(bytes.data()), kSize);
}

template <std::size_t kSize>
void take(std::string_view& in, std::array<std::uint8_t, kSize>& bytes) {
  for (std::size_t i = 0; i < kSize; ++i) bytes[i] = static_cast<std::uint8_t>(in[i]);
  in.remove_prefix(kSize);
}

void put_room(std::string& out, const RoomPosition& position) {
  out += static_cast<char>(position.room.kind);
  auto key = static_cast<std::uint64_t>(position.room.channel_id.value);
  std::array<std::uint8_t, kKeyBytes> digits{};
  for (auto digit = digits.rbegin(); digit != digits.rend(); ++digit, key >>= 8) *digit = key & 0xff;
  put(out, digits);
  put(out, position.event.value_or(core::EventId{}).value.bytes);
}

/// Only the rooms that a client can be in.
std::optional<RoomPosition> take_room(std::string_view& in) {
  const auto kind = static_cast<domain::RoomKind>(in.front());
  if (kind != domain::RoomKind::kPosts && kind != domain::RoomKind::kDiscussion) return std::nullopt;
  in.remove_prefix(1);
  std::array<std::uint8_t, kKeyBytes> key{};
  take(in, key);
  std::uint64_t channel = 0;
  for (const auto byte : key) channel = channel << 8 | byte;
  core::EventId event;
  take(in, event.value.bytes);
  RoomPosition position{{kind, {static_cast<std::int64_t>(channel)}}, {}};
  if (position.room.channel_id.value <= 0) return std::nullopt;
  if (event != core::EventId{}) position.event = event;
  return position;
}

auto lower_bound(auto& rooms, const domain::RoomTarget& room) {
  return std::ranges::lower_bound(rooms, room, {}, &RoomPosition::room);
}

}  // namespace

const RoomPosition* Positions::find(const domain::RoomTarget& room) const {
  const auto at = lower_bound(rooms_, room);
  return at != rooms_.end() && at->room == room ? &*at : nullptr;
}

void Positions::add(const RoomPosition& position) {
  const auto at = lower_bound(rooms_, position.room);
  if (at == rooms_.end() || at->room != position.room) rooms_.insert(at, position);
}

void Positions::remove(const domain::RoomTarget& room) {
  std::erase_if(rooms_, [&](const RoomPosition& position) { return position.room == room; });
}

void Positions::step(const domain::RoomTarget& room, core::EventId event) {
  const auto at = lower_bound(rooms_, room);
  if (at != rooms_.end() && at->room == room) at->event = event;
}

std::array<std::uint8_t, 8> offset_digest(std::string_view offset) {
  const auto hash = auth::sha256(offset);
  std::string_view left = hash;
  std::array<std::uint8_t, 8> digest{};
  take(left, digest);
  return digest;
}

bool PrivateId::refuses(std::string_view offset) const { return refused == offset_digest(offset); }

/// The purpose keeps a text of one kind from being taken for one of another. `signed_part` begins with it.
std::string RecoveryCodec::sealed(std::string_view purpose, std::string signed_part) {
  signed_part += std::string_view(mac_.of(signed_part)).substr(0, kMacBytes);
  return core::encode_base64url(std::string_view(signed_part).substr(purpose.size()));
}

std::optional<std::string> RecoveryCodec::opened(std::string_view purpose, std::string_view text,
                                                 std::size_t max_bytes) {
  if (text.size() > max_bytes * 4 / 3 + 1) return std::nullopt;
  auto bytes = core::decode_base64url(text);
  if (!bytes || bytes->size() <= kMacBytes || bytes->front() != kVersion) return std::nullopt;
  const auto mac = bytes->substr(bytes->size() - kMacBytes);
  bytes->resize(bytes->size() - kMacBytes);
  const auto signed_part = std::string(purpose) + *bytes;
  if (!core::same_secret(std::string_view(mac_.of(signed_part)).substr(0, kMacBytes), mac)) return std::nullopt;
  return bytes;
}

std::string RecoveryCodec::encode_offset(std::span<const RoomPosition> rooms) {
  if (rooms.size() > kMaxOffsetRooms) return std::string(kNoOffset);
  std::string content;
  content.reserve(kOffset.size() + 2 + rooms.size() * kRoomBytes + kMacBytes);
  content += kOffset;
  content += kVersion;
  content += static_cast<char>(rooms.size());
  for (const auto& room : rooms) put_room(content, room);
  return sealed(kOffset, std::move(content));
}

std::optional<Positions> RecoveryCodec::decode_offset(std::string_view text) {
  const auto content = opened(kOffset, text, kMaxOffsetBytes);
  if (!content || content->size() < 2) return std::nullopt;
  std::string_view left = *content;
  const auto count = static_cast<unsigned char>(left[1]);
  left.remove_prefix(2);
  if (count > kMaxOffsetRooms || left.size() != count * kRoomBytes) return std::nullopt;
  Positions positions;
  while (!left.empty()) {
    const auto position = take_room(left);
    const bool rises = position && (positions.size() == 0 || positions.rooms().back().room < position->room);
    if (!rises) return std::nullopt;
    positions.add(*position);
  }
  return positions;
}

std::string RecoveryCodec::encode_pid(const PrivateId& id) {
  std::string content(kPid);
  content += kVersion;
  put(content, id.user.value.bytes);
  put(content, id.nonce);
  put(content, id.refused);
  return sealed(kPid, std::move(content));
}

std::optional<PrivateId> RecoveryCodec::decode_pid(std::string_view text) {
  const auto content = opened(kPid, text, 1 + kPidBytes + kMacBytes);
  if (!content || content->size() != 1 + kPidBytes) return std::nullopt;
  std::string_view left = *content;
  left.remove_prefix(1);
  PrivateId id;
  take(left, id.user.value.bytes);
  take(left, id.nonce);
  take(left, id.refused);
  return id;
}

std::optional<std::span<const domain::SharedEvent>> prove_replay(const std::optional<core::EventId>& from,
                                                                 std::span<const domain::SharedEvent> read,
                                                                 const std::optional<core::EventId>& head) {
  auto at = from;
  std::size_t count = 0;
  while (at != head) {
    if (count == read.size() || read[count]->prev_visible_id != at) return std::nullopt;
    at = read[count++]->id;
  }
  return read.first(count);
}

}  // namespace belfry::dialects::socketio
