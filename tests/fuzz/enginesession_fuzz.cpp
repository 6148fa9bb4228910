// Any order of what a client and a server may do with an Engine.IO session: every GET and POST is answered once,
// nothing follows the end, messages arrive as they were given, and no deadline is forgotten.
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <deque>
#include <string>
#include <string_view>

#include "dialects/socketio/engine_session.hpp"

using namespace belfry::dialects;
using namespace belfry::dialects::socketio;

namespace {

using TimePoint = EngineSession::TimePoint;

void check(bool holds) {
  if (!holds) std::abort();
}

/// The owner of a session, and the client's view of what it gets.
class World {
 public:
  explicit World(EngineTransport transport) : session_(options(), "sid", transport, now_) {
    main_ = transport == EngineTransport::kWebSocket;
    get_waits_ = !main_;
    run(session_.open());
    check(main_ || !get_waits_);
  }

  void step(std::uint8_t what, std::string_view text) {
    switch (what % 12) {
      case 0:
        return get();
      case 1:
        return post(text);
      case 2:
        if (post_runs_ || post_let_go_) session_.post_done();
        (post_let_go_ ? post_let_go_ : post_runs_) = false;
        return;
      case 3:
        if (!session_.may_probe()) return;
        check(!probe_);
        probe_ = true;
        return session_.probe_opened(now_);
      case 4:
        return probe_ ? run(session_.text(Line::kProbe, text, now_)) : void();
      case 5:
        return main_ ? run(session_.text(Line::kMain, text, now_)) : void();
      case 6:
        return send();
      case 7:
        return run(session_.flush());
      case 8:
        now_ += std::chrono::milliseconds(text.empty() ? 1 : static_cast<unsigned char>(text.front()));
        return tick();
      case 9:
        if (!get_waits_) return;
        get_waits_ = false;
        return run(session_.get_abandoned());
      case 10:
        return close_line(text.empty());
      default:
        return text.empty() ? run(session_.close(CloseCode::kRestart, now_)) : void();
    }
  }

 private:
  static EngineOptions options() {
    EngineOptions options;
    options.ping_interval = std::chrono::milliseconds(300);
    options.ping_timeout = std::chrono::milliseconds(200);
    options.max_payload = 64;
    options.max_buffered = 32;
    return options;
  }

  void get() {
    waited_ = std::exchange(get_waits_, true);
    asked_ = true;
    run(session_.get(now_));
    asked_ = false;
  }

  void post(std::string_view text) {
    posted_ = true;
    run(session_.post(text, now_));
    check(!posted_);
  }

  void send() {
    const auto text = std::to_string(++sent_);
    if (!session_.over()) expected_.push_back(text);
    run(session_.send(message_packet(text)));
  }

  void tick() {
    run(session_.tick(now_, false));
    check(session_.next_deadline() > now_);
  }

  void close_line(bool probe) {
    bool& line = probe ? probe_ : main_;
    if (!std::exchange(line, false)) return;
    run(session_.line_closed(probe ? Line::kProbe : Line::kMain));
  }

  void run(const Actions& actions) {
    for (const auto& action : actions) {
      const bool refusal = std::holds_alternative<RefuseGet>(action) || std::holds_alternative<RefusePost>(action);
      check(!over_ || refusal);
      std::visit([this](const auto& known) { on(known); }, action);
    }
    check(over_ == session_.over());
    if (over_) check(!main_ && !probe_ && !get_waits_ && session_.next_deadline() == TimePoint::max());
    check(session_.direct() == main_);
  }

  void on(const AnswerGet& answer) {
    check(std::exchange(get_waits_, false) && !answer.body.empty());
    const auto packets = decode_payload(answer.body);
    check(packets.has_value());
    for (const auto& packet : *packets) arrived(packet);
  }
  void on(const RefuseGet&) {
    check(std::exchange(asked_, false));
    get_waits_ = waited_;
  }
  void on(const AnswerPost&) {
    check(std::exchange(posted_, false) && !post_runs_);
    post_runs_ = true;
  }
  void on(const LetPostGo&) { check(std::exchange(post_runs_, false) && !std::exchange(post_let_go_, true)); }
  void on(const RefusePost&) { check(std::exchange(posted_, false)); }
  void on(const SendText& sent) {
    check(sent.line == Line::kMain ? main_ : probe_);
    const auto packet = decode_text(sent.text);
    check(packet.has_value());
    arrived(*packet);
  }
  void on(const SendBinary&) { check(false); }
  void on(const CloseLine& closed) { check(std::exchange(closed.line == Line::kMain ? main_ : probe_, false)); }
  void on(const Promote&) {
    check(std::exchange(probe_, false) && !main_);
    main_ = true;
  }
  void on(const Deliver& given) { check(given.message.type == EngineType::kMessage); }
  void on(const Writable&) {}
  void on(const Over&) { over_ = true; }

  void arrived(const EnginePacket& packet) {
    if (packet.type != EngineType::kMessage) return;
    check(!expected_.empty() && expected_.front() == packet.data);
    expected_.pop_front();
  }

  TimePoint now_{std::chrono::hours(1)};
  EngineSession session_;
  bool get_waits_ = false, waited_ = false, asked_ = false, posted_ = false, post_runs_ = false;
  bool post_let_go_ = false;
  bool main_ = false, probe_ = false, over_ = false;
  int sent_ = 0;
  std::deque<std::string> expected_;
};

}  // namespace

/// Each step is a byte that says what, one that says how long its text is, and the text.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  World world(data[0] % 2 == 0 ? EngineTransport::kPolling : EngineTransport::kWebSocket);
  std::string_view left(reinterpret_cast<const char*>(data) + 1, size - 1);
  while (left.size() >= 2) {
    const auto what = static_cast<std::uint8_t>(left[0]);
    const auto text = left.substr(2, static_cast<std::uint8_t>(left[1]));
    left.remove_prefix(2 + text.size());
    world.step(what, text);
  }
  return 0;
}
