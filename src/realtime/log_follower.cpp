#include <algorithm>
#include <utility>

#include "belfry/telemetry/log.hpp"
#include "hub_core.hpp"

namespace belfry::realtime {

namespace {

constexpr std::int32_t kReadRecords = 500;
constexpr std::int32_t kLeastRecords = 20;
/// Deliveries that one page may cause: they happen in one piece, and nothing leaves or arrives meanwhile.
constexpr std::size_t kDeliveriesPerPage = 50'000;
constexpr std::size_t kMaxReads = 16;
constexpr std::chrono::milliseconds kRetry{250};

std::int32_t records_per_read(std::size_t members) {
  const auto fitting = kDeliveriesPerPage / std::max<std::size_t>(members, 1);
  return std::clamp(static_cast<std::int32_t>(fitting), kLeastRecords, kReadRecords);
}

core::Error lost() { return core::Error::unavailable("The room's log cannot be followed; join again."); }

}  // namespace

void HubCore::hint(Room& room, std::int64_t seq) {
  ++room.hints;
  room.hinted = std::max(room.hinted, seq);
}

void HubCore::want(const RoomPtr& room, std::int64_t seq) {
  hint(*room, seq);
  read_if_behind(room);
}

void HubCore::read_if_behind(const RoomPtr& room) {
  if (stopped_ || room->dropped || !room->live || room->reading || !room->held.empty() || room->retry.active()) return;
  if (room->hinted <= room->position.seq) return;
  room->reading = true;
  if (room == access_) return read(room);  // everything may wait for it
  read_queue_.push_back(room);
  pump_reads();
}

void HubCore::pump_reads() {
  while (reads_in_flight_ < kMaxReads && !read_queue_.empty()) {
    const RoomPtr room = read_queue_.front().lock();
    read_queue_.pop_front();
    if (!room || room->dropped) continue;
    room->reading = false;
    if (!room->live || !room->held.empty() || room->hinted <= room->position.seq) continue;
    room->reading = true;
    ++reads_in_flight_;
    read(room);
  }
}

void HubCore::read(const RoomPtr& room) {
  metrics_.log_reads.add();
  domain::LogPageQuery query{.room = room->key, .since = room->position.id, .up_to = std::nullopt};
  query.limit = records_per_read(room->count);
  query.control_records = true;
  reads_->page(query, guarded([this, counted = room != access_, weak = std::weak_ptr(room), asked = room->position,
                               hints = room->hints](core::Result<domain::LogPage> page) {
                 if (counted) --reads_in_flight_;
                 if (const RoomPtr still = weak.lock(); still && !still->dropped) {
                   on_page(still, asked, hints, std::move(page));
                 }
                 pump_reads();
               }));
}

void HubCore::on_page(const RoomPtr& room, const Position& asked, std::uint32_t hints,
                      core::Result<domain::LogPage> page) {
  room->reading = false;
  if (!room->live) return;
  if (!page) {
    room->retry = wheel_.after(jittered(kRetry), guarded([this, weak = std::weak_ptr(room)] {
                                 if (const RoomPtr still = weak.lock()) read_if_behind(still);
                               }));
    return;
  }
  const Position head = Position::of(page->head);
  const bool other_history = head.seq < asked.seq || (head.seq == asked.seq && head.id != asked.id);
  const bool tail_missing = page->events.empty() && head.seq > asked.seq;
  if (page->gap != domain::Gap::kNone || other_history || tail_missing) return forked(room);
  // What notices delivered meanwhile is skipped; a page always begins at or before the position that it finds.
  if (run(room, page->events) == Run::kHole) return forked(room);
  if (room->dropped) return;
  // A hint that the log does not bear out was of a lost history; one that came during the read may be newer than the
  // page.
  const bool disproved = page->events.empty() && room->hints == hints;
  room->hinted = disproved ? head.seq : std::max(room->hinted, head.seq);
  read_if_behind(room);
}

/// The log no longer continues what this room delivered (a promoted standby lost the tail, or retention passed us):
/// nobody here can be told the truth about order, so everybody begins anew.
void HubCore::forked(const RoomPtr& room) {
  if (room == access_) {
    telemetry::warn("access_log_forked");
    room->live = false;
    if (observer_ != nullptr) observer_->access_restarted(std::nullopt);
    return follow_access();
  }
  telemetry::warn("room_forked", {{"kind", static_cast<std::int64_t>(room->key.kind)}, {"key", room->key.key}});
  for (const auto& sub : std::vector(room->members)) {
    if (sub) evict(sub, core::Reason::kServiceUnavailable, lost());
  }
}

}  // namespace belfry::realtime
