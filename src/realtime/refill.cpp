#include <algorithm>
#include <utility>

#include "hub_core.hpp"

namespace belfry::realtime {

namespace {

constexpr std::chrono::milliseconds kRetry{250};

}  // namespace

/// Goes live when nothing is missing; otherwise waits for a refill, or first for its socket.
void HubCore::catch_up(const SubscriptionPtr& sub) {
  if (sub->since.seq >= sub->room->position.seq) {
    sub->state = State::kLive;
    return;
  }
  if (sub->refilling || !sub->subscriber->writable()) return;
  const RoomPtr room = rooms_.at(sub->room->key);
  sub->refilling = true;
  room->ready.push_back(sub);
  queue_refill(room);
}

void HubCore::queue_refill(const RoomPtr& room) {
  if (room->refill_queued || room->refill_reading || room->refill_retry.active() || room->ready.empty()) return;
  room->refill_queued = true;
  refill_queue_.push_back(room);
}

void HubCore::pump_refills() {
  while (refills_in_flight_ < options_.max_concurrent_refills && !refill_queue_.empty()) {
    const RoomPtr room = refill_queue_.front().lock();
    refill_queue_.pop_front();
    if (!room || room->dropped) continue;
    room->refill_queued = false;
    if (start_refill(room)) ++refills_in_flight_;
  }
}

/// One read from the one who is furthest behind serves all whose place lies within it.
bool HubCore::start_refill(const RoomPtr& room) {
  std::erase_if(room->ready, [&](const SubscriptionPtr& sub) {
    const bool waits =
        sub->state == State::kBehind && sub->since.seq < room->position.seq && sub->subscriber->writable();
    if (!waits) sub->refilling = false;
    if (!waits && sub->state == State::kBehind && sub->since.seq >= room->position.seq) sub->state = State::kLive;
    return !waits;
  });
  if (room->ready.empty()) return false;
  const auto first =
      std::ranges::min_element(room->ready, {}, [](const SubscriptionPtr& sub) { return sub->since.seq; });
  const Position from = (*first)->since;
  domain::LogPageQuery query{.room = room->key, .since = from.id, .up_to = room->position.seq};
  query.limit = options_.refill_records;
  query.control_records = true;
  room->refill_reading = true;
  metrics_.refills.add();
  reads_->page(query, guarded([this, from, weak = std::weak_ptr(room)](core::Result<domain::LogPage> page) {
                 --refills_in_flight_;
                 if (const RoomPtr still = weak.lock(); still && !still->dropped)
                   on_refill(still, from, std::move(page));
                 pump_refills();
               }));
  return true;
}

void HubCore::on_refill(const RoomPtr& room, const Position& from, core::Result<domain::LogPage> page) {
  room->refill_reading = false;
  if (!page) {
    room->refill_retry = wheel_.after(jittered(kRetry), guarded([this, weak = std::weak_ptr(room)] {
                                        if (const RoomPtr still = weak.lock(); still && !still->dropped) {
                                          queue_refill(still);
                                          pump_refills();
                                        }
                                      }));
    return;
  }
  const bool lost =
      page->gap != domain::Gap::kNone || page->events.empty() || page->events.front()->seq != from.seq + 1;
  std::vector<FrameCache> frames(page->events.size());
  for (const auto& sub : std::exchange(room->ready, {})) {
    sub->refilling = false;
    if (sub->state != State::kBehind) continue;
    if (lost && sub->since.seq == from.seq) {
      evict(sub, core::Reason::kServiceUnavailable, core::Error::unavailable("The room's log was not kept that long."));
      continue;
    }
    if (!lost) feed(sub, *page, frames);
    if (sub->state == State::kBehind) catch_up(sub);
  }
  if (!room->dropped) queue_refill(room);
}

void HubCore::feed(const SubscriptionPtr& sub, const domain::LogPage& page, std::vector<FrameCache>& frames) {
  const auto now = clock_.now();
  for (std::size_t i = 0; i < page.events.size() && sub->state == State::kBehind; ++i) {
    const auto& event = *page.events[i];
    if (event.seq <= sub->since.seq) continue;
    if (event.seq != sub->since.seq + 1 || event.prev_id != sub->since.id) return;
    if (event.visible()) {
      if (expired(*sub, now, event.occurred_at())) return suspend_expired(sub);
      if (!sub->subscriber->writable()) return;
      if (may_see(*sub, event)) {
        sub->since.step(event);
        if (!give(*sub->subscriber, frames[i], event, now)) return give_up(sub);
        metrics_.deliveries.add();
        continue;
      }
    }
    sub->since.step(event);
  }
}

}  // namespace belfry::realtime
