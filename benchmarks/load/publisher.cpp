#include "publisher.hpp"

#include <unistd.h>

#include <stdexcept>
#include <utility>

#include <fmt/core.h>

#include "raw_server.hpp"
#include "sockets.hpp"
#include "websocket.hpp"

namespace bench {
namespace {

constexpr std::size_t kPadding = 90;

}  // namespace

RestPublisher::RestPublisher(Loop& loop, RestPlan plan, OnAnswer on_answer)
    : plan_(std::move(plan)), on_answer_(std::move(on_answer)) {
  for (int i = 0; i < plan_.connections; ++i) {
    connections_.push_back(std::make_unique<HttpClient>(
        loop, plan_.port, [this](HttpClient& from, const HttpClient::Answer& answer) { answered(from, answer); }));
    free_.push_back(connections_.back().get());
  }
}

void RestPublisher::publish(int room, const Stamp& stamp) {
  const auto body = fmt::format(R"({{"body":"{}"}})", stamped_text(stamp, kPadding));
  auto request = fmt::format(
      "POST /api/admin/channels/{}/discussion/messages HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {}\r\n"
      "Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{}",
      plan_.rooms[static_cast<std::size_t>(room)], plan_.token, body.size(), body);
  if (free_.empty()) return waiting_.push_back(std::move(request));
  auto* connection = free_.back();
  free_.pop_back();
  connection->send(request);
}

void RestPublisher::answered(HttpClient& connection, const HttpClient::Answer& answer) {
  if (answer.status != 201) throw std::runtime_error("publish: " + std::string(answer.text));
  if (waiting_.empty()) {
    free_.push_back(&connection);
  } else {
    connection.send(waiting_.front());
    waiting_.pop_front();
  }
  on_answer_(answer.took_ns);
}

RawPublisher::RawPublisher(int port, std::size_t frame_bytes) : fd_(connect_to(port, 0)), frame_bytes_(frame_bytes) {
  send_all(fd_, "P\n");
}

RawPublisher::~RawPublisher() { ::close(fd_); }

void RawPublisher::publish(int room, const Stamp& stamp) {
  constexpr std::size_t kAround = 4 + 11;  // the frame's head, the text around the stamp
  const auto text = stamped_text(stamp, 0);
  const std::size_t filled = text.size() + kAround;
  const std::size_t padding = frame_bytes_ > filled ? frame_bytes_ - filled : 0;
  put_raw_record(pending_, static_cast<std::uint32_t>(room),
                 server_frame(fmt::format(R"({{"body":"{}{}"}})", text, std::string(padding, '.'))));
}

void RawPublisher::flush() {
  send_all(fd_, pending_);
  pending_.clear();
}

}  // namespace bench
