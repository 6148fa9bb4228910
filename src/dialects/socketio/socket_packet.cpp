#include "dialects/socketio/socket_packet.hpp"

#include <algorithm>
#include <array>
#include <functional>
#include <utility>

namespace belfry::dialects::socketio {
namespace {

using Kind = wire::Value::Kind;

constexpr std::array<std::string_view, 6> kReserved{"connect",       "connect_error", "disconnect",
                                                    "disconnecting", "newListener",   "removeListener"};
constexpr std::size_t kMaxDigits = 16;
/// A binary event or acknowledgement has a type of its own on the wire.
constexpr char kBinaryEvent = '5';
constexpr char kBinaryAck = '6';

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// Takes the digits in front of `text`: no sign, no leading zero, at most 2^53 - 1.
std::optional<std::uint64_t> take_number(std::string_view& text) {
  const auto digits = static_cast<std::size_t>(std::ranges::find_if_not(text, is_digit) - text.begin());
  if (digits == 0 || digits > kMaxDigits || (digits > 1 && text.front() == '0')) return std::nullopt;
  std::uint64_t number = 0;
  for (const char digit : text.substr(0, digits)) number = 10 * number + static_cast<std::uint64_t>(digit - '0');
  text.remove_prefix(digits);
  if (number > kMaxAckId) return std::nullopt;
  return number;
}

bool control_character(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

/// `/name` or `/name?query`, up to a comma or the end.
std::expected<void, Refusal> take_namespace(std::string_view& text, SocketPacket& packet) {
  if (!text.starts_with('/')) return {};
  const auto whole = text.substr(0, text.find(','));
  text.remove_prefix(std::min(whole.size() + 1, text.size()));
  if (whole.size() > kMaxNamespaceBytes) return std::unexpected("a long namespace");
  if (std::ranges::any_of(whole, control_character)) return std::unexpected("a control character in a namespace");
  const auto name = whole.substr(0, whole.find('?'));
  packet.nsp = name;
  if (name.size() < whole.size()) packet.query = whole.substr(name.size() + 1);
  return {};
}

std::expected<void, Refusal> take_id(std::string_view& text, SocketPacket& packet) {
  const bool acknowledges = packet.type == SocketType::kAck;
  if (text.empty() || !is_digit(text.front())) {
    if (acknowledges) return std::unexpected("an acknowledgement of nothing");
    return {};
  }
  if (!acknowledges && packet.type != SocketType::kEvent) return std::unexpected("an id where none belongs");
  packet.id = take_number(text);
  if (!packet.id) return std::unexpected("an id out of range");
  return {};
}

/// Counts the places that name an attachment, each of which must be named once.
bool count_places(const wire::Value& value, std::vector<bool>& named) {
  if (value.is(Kind::kObject)) {
    const auto* mark = value.find("_placeholder");
    if (mark != nullptr && mark->is(Kind::kBool) && mark->boolean) {
      const auto* num = value.find("num");
      if (num == nullptr || !num->is(Kind::kInteger) || num->integer < 0) return false;
      const auto at = static_cast<std::uint64_t>(num->integer);
      if (at >= named.size() || named[at]) return false;
      named[at] = true;
      return true;
    }
  }
  return std::ranges::all_of(value.items, [&](const wire::Value& item) { return count_places(item, named); });
}

bool names_all(const wire::Value& data, std::size_t attachments) {
  std::vector<bool> named(attachments);
  return count_places(data, named) && std::ranges::all_of(named, std::identity{});
}

Refusal event_refusal(const wire::Value& data) {
  if (!data.is(Kind::kArray)) return "an event that is no array";
  if (data.items.empty()) return "an event without a name";
  const auto& name = data.items.front();
  if (name.is(Kind::kInteger) || name.is(Kind::kNumber)) return {};
  if (!name.is(Kind::kString)) return "an event whose name is no text";
  return is_reserved_event(name.text) ? "a reserved event" : Refusal{};
}

/// Empty when such a packet may have this data.
Refusal data_refusal(SocketType type, const wire::Value& data) {
  switch (type) {
    case SocketType::kConnect:
      return data.is(Kind::kObject) ? Refusal{} : "CONNECT with something else than an object";
    case SocketType::kDisconnect:
      return "DISCONNECT with data";
    case SocketType::kEvent:
      return event_refusal(data);
    case SocketType::kAck:
      return data.is(Kind::kArray) ? Refusal{} : "an acknowledgement that is no array";
    case SocketType::kConnectError:
      return data.is(Kind::kObject) || data.is(Kind::kString) ? Refusal{} : "CONNECT_ERROR without a reason";
  }
  return "an unknown packet type";
}

std::expected<void, Refusal> take_data(std::string_view text, SocketPacket& packet) {
  if (text.empty()) {
    const bool needless = packet.type == SocketType::kConnect || packet.type == SocketType::kDisconnect;
    if (!needless) return std::unexpected("no data where some belongs");
    return {};
  }
  // No white space: stock parsers take a blank for a digit of an id.
  if (!std::string_view("[{\"").contains(text.front())) return std::unexpected("data of no kind that belongs");
  auto data = wire::parse_value(text, "packet");
  if (!data) return std::unexpected("data that is no JSON to be had");
  if (const auto refusal = data_refusal(packet.type, *data); !refusal.empty()) return std::unexpected(refusal);
  packet.data = std::move(*data);
  return {};
}

std::expected<SocketType, Refusal> type_of(char c) {
  if (c == kBinaryEvent) return SocketType::kEvent;
  if (c == kBinaryAck) return SocketType::kAck;
  if (c < '0' || c > '4') return std::unexpected("an unknown packet type");
  return static_cast<SocketType>(c - '0');
}

/// `n-`, of a binary packet.
std::expected<std::size_t, Refusal> take_attachments(std::string_view& text) {
  const auto count = take_number(text);
  if (!count || !text.starts_with('-')) return std::unexpected("no number of attachments");
  text.remove_prefix(1);
  if (*count == 0 || *count > kMaxAttachments) return std::unexpected("too many attachments, or none");
  return static_cast<std::size_t>(*count);
}

}  // namespace

bool is_reserved_event(std::string_view name) { return std::ranges::find(kReserved, name) != kReserved.end(); }

SocketDecoder::Decoded SocketDecoder::add_text(std::string_view text) {
  if (pending_) return std::unexpected("text where an attachment is due");
  if (text.empty()) return std::unexpected("an empty packet");
  const char first = text.front();
  const auto type = type_of(first);
  if (!type) return std::unexpected(type.error());
  text.remove_prefix(1);
  SocketPacket packet;
  packet.type = *type;
  std::size_t attachments = 0;
  if (first == kBinaryEvent || first == kBinaryAck) {
    const auto count = take_attachments(text);
    if (!count) return std::unexpected(count.error());
    attachments = *count;
  }
  if (const auto taken = take_namespace(text, packet); !taken) return std::unexpected(taken.error());
  if (const auto taken = take_id(text, packet); !taken) return std::unexpected(taken.error());
  if (const auto taken = take_data(text, packet); !taken) return std::unexpected(taken.error());
  if (attachments == 0) return packet;
  if (!names_all(*packet.data, attachments)) return std::unexpected("attachments and their places differ");
  expected_ = attachments;
  attached_bytes_ = 0;
  if (attached_ == Attached::kCounted) {
    auto& items = packet.data->items;
    items.resize(std::min<std::size_t>(items.size(), packet.type == SocketType::kEvent ? 1 : 0));
    items.shrink_to_fit();
  }
  pending_ = std::move(packet);
  return std::nullopt;
}

SocketDecoder::Decoded SocketDecoder::add_binary(std::string bytes) {
  if (!pending_) return std::unexpected("an attachment of nothing");
  attached_bytes_ += bytes.size();
  if (attached_bytes_ > max_attached_bytes_) return std::unexpected("attachments that are too large");
  if (attached_ == Attached::kCounted) std::string().swap(bytes);
  pending_->attachments.push_back(std::move(bytes));
  if (pending_->attachments.size() < expected_) return std::nullopt;
  return std::exchange(pending_, std::nullopt);
}

std::string encode_packet(SocketType type, std::string_view nsp, std::optional<std::uint64_t> id, std::string_view json,
                          std::size_t attachments) {
  std::string text;
  text.reserve(nsp.size() + json.size() + 32);
  if (attachments == 0) {
    text += static_cast<char>('0' + std::to_underlying(type));
  } else {
    text += type == SocketType::kAck ? kBinaryAck : kBinaryEvent;
    text += std::to_string(attachments);
    text += '-';
  }
  if (nsp != "/") {
    text += nsp;
    text += ',';
  }
  if (id) text += std::to_string(*id);
  text += json;
  return text;
}

}  // namespace belfry::dialects::socketio
