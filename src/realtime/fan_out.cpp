#include <algorithm>
#include <utility>

#include "belfry/telemetry/log.hpp"
#include "hub_core.hpp"

namespace belfry::realtime {

namespace {

/// A piece ends with the event that passes it: a slow socket is noticed between pieces.
constexpr std::size_t kPieceBytes = 64 * 1024;
/// Thousands of members are more than the processor's caches hold: what the loop will touch is asked for a few rounds
/// before, first the subscription, then the subscriber it names.
constexpr std::size_t kAhead = 8;

template <std::size_t kBytes>
void prefetch(const void* object) {
  for (std::size_t at = 0; at < kBytes; at += 64) __builtin_prefetch(static_cast<const char*>(object) + at);
}

void prefetch(const std::vector<SubscriptionPtr>& members, std::size_t at) {
  if (at + 2 * kAhead < members.size()) prefetch<128>(members[at + 2 * kAhead].get());
  if (at + kAhead < members.size() && members[at + kAhead]) prefetch<128>(members[at + kAhead]->subscriber);
}

}  // namespace

/// As many events as are worth one write, measured in the dialect of the first member.
HubCore::Piece HubCore::next_piece(Room& room, std::span<const domain::SharedEvent> events,
                                   std::span<FrameCache> frames) {
  const auto first = std::ranges::find_if(room.members, [](const SubscriptionPtr& sub) { return sub != nullptr; });
  Piece piece;
  std::size_t count = 0;
  for (std::size_t bytes = 0; count < events.size() && bytes < kPieceBytes; ++count) {
    const auto& event = *events[count];
    piece.latest = std::max(piece.latest, event.occurred_at());
    piece.everybody = piece.everybody && event.audience == domain::Audience::kPublic;
    if (first == room.members.end()) continue;
    if (const auto& frame = frame_for(frames[count], (*first)->subscriber->encoder(), event)) {
      bytes += frame->wire().size();
    }
  }
  piece.events = events.first(count);
  piece.frames = frames.first(count);
  return piece;
}

void HubCore::fan_out(Room& room, Piece piece, const Position& before) {
  const auto now = clock_.now();
  const auto first_seq = piece.events.front()->seq;
  const auto last_seq = piece.events.back()->seq;
  std::uint64_t delivered = 0;
  std::vector<SubscriptionPtr> broken;
  bool taken = false;
  ++room.iterating;
  // By index and with holes: the list may grow or lose members while a subscriber is called.
  for (std::size_t i = 0; i < room.members.size(); ++i) {
    prefetch(room.members, i);
    Subscription* const sub = room.members[i].get();
    if (sub == nullptr || sub->state != State::kLive || last_seq <= sub->since.seq) continue;
    const SharedFrame* frame = nullptr;
    if (piece.everybody && sub->since.seq < first_seq && !expired(*sub, now, piece.latest)) {
      frame = &frame_for(piece, sub->subscriber->encoder());
    }
    if (frame == nullptr || !*frame) {
      const SubscriptionPtr kept = room.members[i];
      if (!give_one_by_one(kept, piece, before, now) && !kept->gone()) broken.push_back(kept);
    } else if (!safely([&] { taken = sub->subscriber->deliver(*frame, now); })) {
      if (room.members[i]) broken.push_back(room.members[i]);
    } else if (taken) {
      delivered += piece.events.size();
    } else {
      fall_behind(*sub, before);
      metrics_.suspensions.add();
    }
  }
  --room.iterating;
  compact(room);
  metrics_.deliveries.add(delivered);
  for (const auto& sub : broken) give_up(sub);
}

/// For members who do not get all of a piece. False: an event that is theirs could not be given.
bool HubCore::give_one_by_one(const SubscriptionPtr& sub, Piece& piece, Position before, core::TimePoint now) {
  for (std::size_t i = 0; i < piece.events.size() && sub->state == State::kLive; ++i) {
    const auto& event = *piece.events[i];
    if (event.seq > sub->since.seq) {
      if (expired(*sub, now, event.occurred_at())) {
        fall_behind(*sub, before);
        suspend_expired(sub);
      } else if (!sub->subscriber->writable()) {
        fall_behind(*sub, before);
        metrics_.suspensions.add();
      } else if (may_see(*sub, event)) {
        if (!give(*sub->subscriber, piece.frames[i], event, now)) return false;
        metrics_.deliveries.add();
      }
    }
    before.step(event);
  }
  return true;
}

/// Null when one of the events cannot be told.
const SharedFrame& HubCore::frame_for(Piece& piece, const Encoder& encoder) {
  for (const auto& [known, frame] : piece.joined) {
    if (known == &encoder) return frame;
  }
  std::vector<SharedFrame> messages;
  messages.reserve(piece.events.size());
  for (std::size_t i = 0; i < piece.events.size(); ++i) {
    if (const auto& frame = frame_for(piece.frames[i], encoder, *piece.events[i])) messages.push_back(frame);
  }
  const bool whole = messages.size() == piece.events.size();
  return piece.joined.emplace_back(&encoder, whole ? join_frames(std::move(messages)) : nullptr).second;
}

/// False: this subscriber has not got the event and never will.
bool HubCore::give(Subscriber& subscriber, FrameCache& frames, const domain::Event& event, core::TimePoint now) {
  bool given = false;
  const bool whole = safely([&] {
    const auto& frame = frame_for(frames, subscriber.encoder(), event);
    given = frame && subscriber.deliver(frame, now);
  });
  return whole && given;
}

/// An event that cannot be given is a gap, and a gap is said.
void HubCore::give_up(const SubscriptionPtr& sub) {
  evict(sub, core::Reason::kServiceUnavailable, core::Error::unavailable("The room's events cannot be delivered."));
}

void HubCore::report(std::string_view what) { telemetry::error("hub_callback_failed", {{"what", what}}); }

/// The room already stands after the event that this subscription does not get.
void HubCore::fall_behind(Subscription& sub, const Position& before) {
  if (sub.since.seq < before.seq) sub.since = before;
  sub.state = State::kBehind;
}

const SharedFrame& HubCore::frame_for(FrameCache& cache, const Encoder& encoder, const domain::Event& event) {
  for (const auto& [known, frame] : cache) {
    if (known == &encoder) return frame;
  }
  metrics_.events_encoded[std::to_underlying(encoder.dialect())].add();
  SharedFrame frame;
  safely([&] { frame = encoder.encode(event); });
  return cache.emplace_back(&encoder, std::move(frame)).second;
}

/// Two audiences are two rooms; this is the second lock.
bool HubCore::may_see(const Subscription& sub, const domain::Event& event) {
  return event.audience == domain::Audience::kPublic || sub.subscriber->actor().admin();
}

bool HubCore::expired(const Subscription& sub, core::TimePoint now, core::TimePoint occurred_at) {
  return sub.valid_until && (now >= *sub.valid_until || occurred_at >= *sub.valid_until);
}

}  // namespace belfry::realtime
