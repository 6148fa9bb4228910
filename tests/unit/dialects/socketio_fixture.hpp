#pragma once

#include <nlohmann/json.hpp>

#include "belfry/dialects/socketio.hpp"
#include "dialects/socketio/recovery.hpp"
#include "unit/dialects/native_fixture.hpp"

/// The Socket.IO dialect over the real hub and the real domain, without sockets.
namespace belfry::dialects::testing {

using Json = nlohmann::json;

class SocketSink final : public FrameSink {
 public:
  void send(const realtime::SharedFrame& frame) override {
    if (closed) return;
    for (std::size_t i = 0; i < frame->count(); ++i) sent.emplace_back(frame->text(i));
  }
  bool offer(const realtime::SharedFrame& frame) override {
    if (!takes) return false;
    if (frame->mark()) ++shared;
    send(frame);
    return true;
  }
  bool offer(const realtime::SharedFrame& frame, std::span<const std::string_view> tails) override {
    if (!takes) return false;
    for (std::size_t i = 0; i < frame->count(); ++i) {
      sent.push_back(std::string(frame->head(i)).append(frame->body(i)).append(tails[i]));
    }
    return true;
  }
  void send_binary(std::string_view bytes) override { sent.push_back("binary " + std::string(bytes)); }
  bool writable() const override { return takes; }
  void close(CloseCode code, std::string_view) override {
    if (!closed) closed = code;
  }
  std::vector<std::string> take() { return std::exchange(sent, {}); }

  std::vector<std::string> sent;
  std::optional<CloseCode> closed;
  bool takes = true;
  int shared = 0;  ///< frames sent as they are
};

class SocketIoTest : public NativeTest {
 protected:
  SocketIoTest() { work.node_keys["recovery"] = std::string(32, 'k'); }

  struct Socket {
    SocketSink sink;
    std::unique_ptr<Session> session;
    int dones = 0;
  };

  /// The WebSocket of a new session, or of one that is there; null: it was refused.
  std::unique_ptr<Socket> open_line(const std::string& sid = {}) {
    auto socket = std::make_unique<Socket>();
    Handshake handshake{.query = "EIO=4&transport=websocket", .authorization = {}, .origin = {}};
    if (!sid.empty()) handshake.query += "&sid=" + sid;
    socketio->authorize(handshake, [&](core::Result<std::unique_ptr<Entrance>> entrance) {
      if (entrance) socket->session = (*entrance)->open(socket->sink);
    });
    settle();
    if (!socket->session) return nullptr;
    return socket;
  }
  std::vector<std::string> say(Socket& socket, std::string_view text) {
    socket.session->on_text(text, [&socket] { ++socket.dones; });
    settle();
    return socket.sink.take();
  }
  /// A socket that has said CONNECT; what it was answered stays in its sink.
  std::unique_ptr<Socket> enter(const std::string& token = "one", const std::string& pid = {},
                                const std::string& offset = {}) {
    auto socket = open_line();
    socket->sink.take();
    Json auth = Json::object();
    if (!token.empty()) auth["token"] = token;
    if (!pid.empty()) auth["pid"] = pid;
    if (!offset.empty()) auth["offset"] = offset;
    socket->session->on_text("40" + auth.dump(), [raw = socket.get()] { ++raw->dones; });
    settle();
    return socket;
  }
  static Json connected(const std::vector<std::string>& said) {
    if (said.empty() || !said.front().starts_with("40")) return {};
    return Json::parse(said.front().substr(2));
  }
  /// An event's array; null when it is none.
  static Json event(const std::string& text) {
    if (!text.starts_with("42[")) return {};
    return Json::parse(text.substr(2));
  }
  /// The ids of the channel events among what was said.
  static std::vector<std::string> event_ids(const std::vector<std::string>& said) {
    std::vector<std::string> ids;
    for (const auto& text : said) {
      const auto array = event(text);
      if (array.is_array() && array.size() == 4) ids.push_back(array[1].at("eventId"));
    }
    return ids;
  }
  static std::string id_of(const domain::SharedEvent& event) { return event->id.value.text(); }
  std::vector<std::string> join(Socket& socket, int channel) {
    return say(socket, R"(427["communication:join_channel_posts",{"channelId":)" + std::to_string(channel) + "}]");
  }
  void lose(Socket& socket) {
    socket.session->on_closed();
    socket.session = nullptr;
    settle();
  }
  /// Jobs and what was put behind the present turn, until nothing is left.
  void settle() {
    while (!posted_.empty() || database.waiting() > 0) {
      database.settle();
      for (auto& task : std::exchange(posted_, {})) task();
    }
  }
  void pass(milliseconds by) {
    NativeTest::pass(by);
    settle();
  }
  domain::SharedEvent happens(std::int64_t channel) {
    auto happened = post_event(channel);
    tell(happened);
    settle();
    return happened;
  }

  SocketIoOptions options() const {
    return {.commands = {.attachment_url_base = {}}, .allowed_origins = {"https://a"}};
  }
  std::unique_ptr<Dialect> make_dialect(SocketIoOptions options) {
    return make_socketio_dialect(std::move(options), hub, *reader, database, authenticator, wheel, clock, metrics,
                                 [this](std::move_only_function<void()> task) { posted_.push_back(std::move(task)); });
  }

  std::unique_ptr<Dialect> socketio = make_dialect(options());

 private:
  std::vector<std::move_only_function<void()>> posted_;
};

}  // namespace belfry::dialects::testing
