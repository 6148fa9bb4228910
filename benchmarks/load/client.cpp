#include "client.hpp"

#include <unistd.h>

#include <stdexcept>
#include <utility>

#include <fmt/core.h>

#include "sockets.hpp"
#include "websocket.hpp"

namespace bench {

Protocol protocol_named(const std::string& name) {
  if (name == "native") return Protocol::kNative;
  if (name == "socketio") return Protocol::kSocketIo;
  if (name == "raw") return Protocol::kRaw;
  throw std::runtime_error("no such protocol: " + name);
}

bool says_busy(std::string_view reply) { return reply.find(R"("SERVICE_UNAVAILABLE")") != std::string_view::npos; }

Client::Client(Loop& loop, ClientEvents& events, ClientPlan plan)
    : loop_(loop), events_(events), plan_(std::move(plan)) {}

Client::~Client() {
  if (fd_ < 0) return;
  loop_.forget(fd_);
  ::close(fd_);
}

void Client::start() {
  fd_ = connect_to(plan_.port, plan_.index);
  loop_.watch(fd_, *this);
  switch (plan_.protocol) {
    case Protocol::kNative:
      return send_all(fd_, upgrade_request("/ws", plan_.token));
    case Protocol::kSocketIo:
      return send_all(fd_, upgrade_request("/socket.io/?EIO=4&transport=websocket", {}));
    case Protocol::kRaw:
      phase_ = Phase::kJoining;
      return send_all(fd_, "J" + plan_.room + "\n");
  }
}

void Client::send_text(std::string_view text) { send_all(fd_, client_frame(text)); }

void Client::ready() {
  static char bytes[262144];  // one thread
  const std::size_t size = receive(fd_, bytes, sizeof bytes, "subscriber");
  if (size == 0) return;
  if (rest_.empty()) {
    const std::string_view got(bytes, size);
    rest_ = got.substr(use(got));
  } else {
    rest_.append(bytes, size);
    const std::string all = std::move(rest_);
    rest_ = std::string_view(all).substr(use(all));
  }
}

std::size_t Client::use(std::string_view bytes) {
  std::size_t at = phase_ == Phase::kUpgrading ? use_upgrade(bytes) : 0;
  if (phase_ == Phase::kUpgrading) return 0;
  while (const auto frame = first_frame(bytes.substr(at))) {
    at += frame->bytes;
    if (frame->opcode == kText) use_text(frame->payload, frame->bytes);
    if (frame->opcode == kPing) send_all(fd_, client_frame(frame->payload, kPong));
    if (frame->opcode == kClose) refuse("closed: " + std::string(frame->payload));
  }
  return at;
}

std::size_t Client::use_upgrade(std::string_view bytes) {
  const auto end = bytes.find("\r\n\r\n");
  if (end == std::string_view::npos) return 0;
  if (!bytes.starts_with("HTTP/1.1 101")) refuse(bytes.substr(0, 200));
  if (plan_.protocol == Protocol::kNative) {
    join();
  } else {
    phase_ = Phase::kOpening;
  }
  return end + 4;
}

void Client::join() {
  phase_ = Phase::kJoining;
  constexpr std::string_view kEvent = "communication:join_discussion";
  if (plan_.protocol == Protocol::kNative) {
    send_text(fmt::format(R"({{"event":"{}","data":{{"channelId":{}}}}})", kEvent, plan_.room));
  } else {
    send_text(fmt::format(R"(420["{}",{{"channelId":{}}}])", kEvent, plan_.room));
  }
}

void Client::use_text(std::string_view text, std::size_t wire_bytes) {
  if (phase_ == Phase::kJoined) {
    if (plan_.protocol == Protocol::kSocketIo && text == "2") return send_text("3");
    return events_.frame(*this, text, wire_bytes);
  }
  use_reply(text);
}

void Client::use_reply(std::string_view text) {
  switch (phase_) {
    case Phase::kOpening:
      if (!text.starts_with('0')) refuse(text);
      phase_ = Phase::kGreeting;
      return send_text(fmt::format(R"(40{{"token":"{}"}})", plan_.token));
    case Phase::kGreeting:
      if (!text.starts_with("40")) refuse(text);
      return join();
    case Phase::kJoining:
      if (says_busy(text)) return events_.busy(*this);
      if (text.find(R"("ok":true)") == std::string_view::npos) refuse(text);
      phase_ = Phase::kJoined;
      return events_.joined(*this);
    case Phase::kUpgrading:
    case Phase::kJoined:
      break;
  }
}

void Client::refuse(std::string_view why) const {
  throw std::runtime_error(fmt::format("subscriber {}: {}", plan_.index, why));
}

}  // namespace bench
