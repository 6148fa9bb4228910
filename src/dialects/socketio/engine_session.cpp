#include "dialects/socketio/engine_session.hpp"

#include <algorithm>

#include "belfry/wire/json.hpp"

namespace belfry::dialects::socketio {
namespace {

constexpr std::string_view kProbe = "probe";
/// What a packet costs besides its data.
constexpr std::size_t kPacketBytes = 2;

}  // namespace

EngineSession::EngineSession(EngineOptions options, std::string sid, EngineTransport transport, TimePoint now)
    : options_(options), sid_(std::move(sid)), transport_(transport), ping_at_(now + options.ping_interval) {}

std::string EngineSession::open_packet() const {
  std::string json = "{\"sid\":" + wire::json_string(sid_) + ",\"upgrades\":[";
  if (transport_ == EngineTransport::kPolling) json += "\"websocket\"";
  json += "],\"pingInterval\":" + std::to_string(options_.ping_interval.count());
  json += ",\"pingTimeout\":" + std::to_string(options_.ping_timeout.count());
  json += ",\"maxPayload\":" + std::to_string(options_.max_payload) + '}';
  return encode_text({EngineType::kOpen, false, std::move(json)});
}

Actions EngineSession::open() {
  if (transport_ == EngineTransport::kPolling) {
    act(AnswerGet{open_packet()});
  } else {
    act(SendText{Line::kMain, open_packet()});
  }
  return taken();
}

Actions EngineSession::get(TimePoint now) {
  if (over_ || transport_ != EngineTransport::kPolling) {
    act(RefuseGet{});
  } else if (late(now)) {
    act(RefuseGet{});
    end(EngineEnd::kPingTimeout);
  } else if (get_waits_) {
    act(RefuseGet{});
    end(EngineEnd::kOverlap);
  } else {
    get_waits_ = true;
    if (!kept_.empty()) {
      answer_get();
    } else if (probe_ == Probe::kAnswered && noop_at_ <= now) {
      let_get_go(now);
    }
    if (closing_ && kept_.empty()) end(EngineEnd::kClosedByServer);
  }
  return taken();
}

Actions EngineSession::get_abandoned() {
  if (std::exchange(get_waits_, false)) end(EngineEnd::kGetAbandoned);
  return taken();
}

Actions EngineSession::answer_lost() {
  if (!over_ && transport_ == EngineTransport::kPolling) end(EngineEnd::kGetAbandoned);
  return taken();
}

Actions EngineSession::post(std::string_view body, TimePoint now) {
  std::optional<EngineEnd> why;
  if (over_ || closing_ || transport_ != EngineTransport::kPolling) {
    act(RefusePost{});
    return taken();
  }
  if (late(now)) {
    why = EngineEnd::kPingTimeout;
  } else if (post_running_) {
    why = EngineEnd::kOverlap;
  } else if (body.size() > options_.max_payload) {
    why = EngineEnd::kTooLarge;
  } else {
    why = take_payload(body, now);
  }
  if (!why || *why == EngineEnd::kClosedByClient) {
    post_running_ = true;
    act(AnswerPost{});
    if (probe_ == Probe::kAnswered) let_post_go();
  } else {
    act(RefusePost{*why == EngineEnd::kTooLarge ? 413 : 400});
  }
  if (why) end(*why);
  return taken();
}

std::optional<EngineEnd> EngineSession::take_payload(std::string_view body, TimePoint now) {
  auto packets = decode_payload(body);
  if (!packets) return EngineEnd::kMalformed;
  for (auto& packet : *packets) {
    if (const auto why = take(std::move(packet), now)) return why;
  }
  return std::nullopt;
}

std::optional<EngineEnd> EngineSession::take(EnginePacket packet, TimePoint now) {
  switch (packet.type) {
    case EngineType::kMessage:
      act(Deliver{std::move(packet)});
      return std::nullopt;
    case EngineType::kPong:
      // One that nobody asked for puts nothing off.
      if (!ping_kept_ && std::exchange(pong_due_, kNever) != kNever) ping_at_ = now + options_.ping_interval;
      return std::nullopt;
    case EngineType::kNoop:
      return std::nullopt;
    case EngineType::kClose:
      return EngineEnd::kClosedByClient;
    case EngineType::kOpen:
    case EngineType::kPing:
    case EngineType::kUpgrade:
      return EngineEnd::kMalformed;
  }
  return EngineEnd::kMalformed;
}

bool EngineSession::may_probe() const {
  return !over_ && !closing_ && transport_ == EngineTransport::kPolling && probe_ == Probe::kNone;
}

void EngineSession::probe_opened(TimePoint now) {
  probe_ = Probe::kOpen;
  probe_due_ = now + options_.upgrade_timeout;
}

Actions EngineSession::text(Line line, std::string_view text, TimePoint now) {
  if (line == Line::kProbe) {
    if (probe_ != Probe::kNone) take_probe(text, now);
  } else if (direct()) {
    if (text.size() > options_.max_payload) {
      end(EngineEnd::kTooLarge, CloseCode::kTooBig);
    } else if (auto packet = decode_text(text); !packet) {
      end(EngineEnd::kMalformed);
    } else if (const auto why = take(std::move(*packet), now)) {
      end(*why, *why == EngineEnd::kClosedByClient ? CloseCode::kNormal : CloseCode::kProtocolError);
    }
  }
  return taken();
}

Actions EngineSession::binary(Line line, std::string bytes) {
  if (line == Line::kProbe) {
    if (probe_ != Probe::kNone) drop_probe(CloseCode::kProtocolError);
  } else if (direct()) {
    if (bytes.size() > options_.max_payload) {
      end(EngineEnd::kTooLarge, CloseCode::kTooBig);
    } else {
      act(Deliver{binary_packet(std::move(bytes))});
    }
  }
  return taken();
}

/// `2probe`, then `5`: anything else costs the probe, not the session.
void EngineSession::take_probe(std::string_view text, TimePoint now) {
  const auto packet = decode_text(text);
  const auto is = [&](EngineType type, std::string_view data) {
    return packet && packet->type == type && packet->data == data;
  };
  if (probe_ == Probe::kOpen && is(EngineType::kPing, kProbe)) {
    probe_ = Probe::kAnswered;
    noop_at_ = now + options_.noop_interval;
    act(SendText{Line::kProbe, encode_text({EngineType::kPong, false, std::string(kProbe)})});
    if (get_waits_) let_get_go(now);
    let_post_go();
  } else if (probe_ == Probe::kAnswered && is(EngineType::kUpgrade, "")) {
    upgrade();
  } else {
    drop_probe(CloseCode::kProtocolError);
  }
}

/// What is kept goes by the WebSocket, all of it: a GET's answer might arrive behind what is sent next.
void EngineSession::upgrade() {
  auto kept = std::exchange(kept_, {});
  kept_bytes_ = 0;
  ping_kept_ = false;
  if (get_waits_) {
    put({EngineType::kNoop});
    answer_get();
  }
  transport_ = EngineTransport::kWebSocket;
  probe_ = Probe::kNone;
  probe_due_ = noop_at_ = kNever;
  act(Promote{});
  for (auto& packet : kept) put(std::move(packet));
  if (std::exchange(told_full_, false)) act(Writable{});
}

void EngineSession::drop_probe(CloseCode code) {
  if (std::exchange(probe_, Probe::kNone) == Probe::kNone) return;
  probe_due_ = noop_at_ = kNever;
  act(CloseLine{Line::kProbe, code});
}

Actions EngineSession::line_closed(Line line) {
  if (line == Line::kProbe) {
    probe_ = Probe::kNone;
    probe_due_ = noop_at_ = kNever;
  } else if (direct()) {
    end(EngineEnd::kLineGone);
  }
  return taken();
}

Actions EngineSession::send(EnginePacket packet) {
  if (!over_ && !closing_) put(std::move(packet));
  return taken();
}

void EngineSession::put(EnginePacket packet) {
  if (transport_ == EngineTransport::kPolling) {
    kept_bytes_ += packet.data.size() + kPacketBytes;
    kept_.push_back(std::move(packet));
  } else if (packet.binary) {
    act(SendBinary{std::move(packet.data)});
  } else {
    act(SendText{Line::kMain, encode_text(packet)});
  }
}

Actions EngineSession::flush() {
  if (get_waits_ && !kept_.empty()) answer_get();
  return taken();
}

/// A slow line takes what is kept by several answers, each of which counts.
void EngineSession::answer_get(Much much) {
  std::string body;
  std::size_t taken = 0;
  while (taken < kept_.size() && (much == Much::kAll || body.size() < options_.max_answer)) {
    const auto& packet = kept_[taken++];
    kept_bytes_ -= packet.data.size() + kPacketBytes;
    if (packet.type == EngineType::kPing) ping_kept_ = false;
    append_to_payload(body, packet);
  }
  kept_.erase(kept_.begin(), kept_.begin() + static_cast<std::ptrdiff_t>(taken));
  get_waits_ = false;
  act(AnswerGet{std::move(body)});
  if (kept_bytes_ <= options_.max_buffered / 2 && std::exchange(told_full_, false)) act(Writable{});
}

void EngineSession::let_get_go(TimePoint now) {
  noop_at_ = now + options_.noop_interval;
  put({EngineType::kNoop});
  answer_get();
}

/// Stock clients upgrade when neither GET nor POST is under way, and take nothing until then: what the POST delivered
/// may wait for just that.
void EngineSession::let_post_go() {
  if (!post_running_ || post_let_go_) return;
  post_running_ = false;
  post_let_go_ = true;
  act(LetPostGo{});
}

bool EngineSession::writable() const {
  if (transport_ == EngineTransport::kWebSocket || kept_bytes_ < options_.max_buffered) return true;
  told_full_ = true;
  return false;
}

Actions EngineSession::close(CloseCode code, TimePoint now) {
  if (over_ || closing_) return {};
  drop_probe(CloseCode::kNormal);
  if (transport_ == EngineTransport::kWebSocket || get_waits_) {
    end(EngineEnd::kClosedByServer, code);
  } else {
    put({EngineType::kClose});
    closing_ = true;
    pong_due_ = kNever;
    linger_until_ = now + options_.linger;
  }
  return taken();
}

/// Whoever waits hears of it. A client that closed by itself is only let go.
void EngineSession::end(EngineEnd why, CloseCode code) {
  over_ = true;
  if (get_waits_) {
    const bool said = why == EngineEnd::kClosedByClient;
    if (!said || kept_.empty()) put({said ? EngineType::kNoop : EngineType::kClose});
    answer_get(Much::kAll);
  }
  drop_probe(code);
  if (transport_ == EngineTransport::kWebSocket && why != EngineEnd::kLineGone) act(CloseLine{Line::kMain, code});
  kept_.clear();
  act(Over{why});
}

void EngineSession::ping(TimePoint now) {
  ping_at_ = kNever;
  pong_due_ = now + options_.ping_timeout;
  ping_kept_ = transport_ == EngineTransport::kPolling;
  put({EngineType::kPing});
  // In front of what a slow line would take longer for than a pong may take.
  if (ping_kept_) std::ranges::rotate(kept_, kept_.end() - 1);
  if (get_waits_) answer_get();
}

Actions EngineSession::tick(TimePoint now, bool behind) {
  if (over_) return {};
  if (closing_) {
    if (linger_until_ <= now) end(EngineEnd::kClosedByServer);
    return taken();
  }
  if (late(now) && behind) pong_due_ = now + options_.ping_timeout;
  if (late(now)) {
    end(EngineEnd::kPingTimeout, CloseCode::kGoingAway);
    return taken();
  }
  if (probe_due_ <= now) drop_probe(CloseCode::kGoingAway);
  if (ping_at_ <= now) ping(now);
  if (get_waits_ && noop_at_ <= now) let_get_go(now);
  return taken();
}

EngineSession::TimePoint EngineSession::next_deadline() const {
  if (over_) return kNever;
  if (closing_) return linger_until_;
  return std::min({ping_at_, pong_due_, probe_due_, get_waits_ ? noop_at_ : kNever});
}

}  // namespace belfry::dialects::socketio
