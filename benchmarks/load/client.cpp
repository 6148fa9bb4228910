#include "client.hpp"

#include <unistd.h>

#include <stdexcept>
#include <utility>

#include <fmt/core.h>

#include "sockets.hpp"
#include "websocket.hpp"

namespace bench {

bool says_busy(std::string_view reply) { return reply.find(R"("SERVICE_UNAVAILABLE")") != std::string_view::npos; }

Client::Client(Loop& loop, ClientEvents& events, ClientPlan plan)
    : loop_(loop), events_(events), plan_(std::move(plan)), dialect_(dialect_of(plan_.protocol)) {}

Client::~Client() {
  if (fd_ < 0) return;
  loop_.forget(fd_);
  ::close(fd_);
}

void Client::start() {
  fd_ = connect_to(plan_.port, plan_.index);
  loop_.watch(fd_, *this);
  const auto request = dialect_.upgrade(plan_);
  if (request.empty()) return opened();
  send_all(fd_, request);
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
  opened();
  return end + 4;
}

void Client::opened() {
  phase_ = Phase::kJoining;
  send_all(fd_, dialect_.opening(plan_));
}

void Client::join() { send_all(fd_, dialect_.join(plan_)); }

void Client::use_text(std::string_view text, std::size_t wire_bytes) {
  if (const auto answer = dialect_.answer(text, plan_); !answer.empty()) return send_all(fd_, answer);
  if (phase_ == Phase::kJoined) return events_.frame(*this, text, wire_bytes);
  if (!dialect_.is_event(text)) use_reply(text);
}

void Client::use_reply(std::string_view text) {
  if (says_busy(text)) return events_.busy(*this);
  if (text.find(R"("ok":true)") == std::string_view::npos) refuse(text);
  phase_ = Phase::kJoined;
  events_.joined(*this);
}

void Client::refuse(std::string_view why) const {
  throw std::runtime_error(fmt::format("subscriber {}: {}", plan_.index, why));
}

}  // namespace bench
