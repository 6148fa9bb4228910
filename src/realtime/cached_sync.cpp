#include <utility>

#include "reader_core.hpp"

namespace belfry::realtime {

namespace {

constexpr int kMaxTries = 4;
constexpr std::int32_t kMaxLimit = 500;

}  // namespace

void ReaderCore::sync(const domain::Actor& actor, domain::SyncRoom command, SyncDone done) {
  const bool known = introductions_.known(actor);
  const bool valid = !actor.anonymous() && command.limit >= 1 && command.limit <= kMaxLimit;
  if (!known || !valid || options_.max_bytes == 0) return sync_uncached(actor, command, std::move(done));
  auto request = std::make_shared<SyncRequest>();
  request->actor = actor;
  request->command = std::move(command);
  request->done = std::move(done);
  resolve(request->command.target, [this, request](std::optional<domain::RoomKey> room) {
    if (!room || unusable(request->actor, *room)) return decline(request);
    request->room = *room;
    begin(request);
  });
}

void ReaderCore::begin(const SyncPtr& request) {
  const RoomTail* tail = replays_.find(request->room);
  const bool again = doorkeeper_.again(std::hash<domain::RoomKey>{}(request->room));
  if (tail == nullptr && !again) return decline(request);
  if (tail != nullptr) request->seen_seq = tail->at().head.last_seq;
  barrier_.pass(request->room, [this, request](core::Result<Moment> moment) {
    if (!moment) {
      if (moment.error().code != core::ErrorCode::kUnavailable) return decline(request);
      return std::exchange(request->done, nullptr)(core::fail(std::move(moment.error())));
    }
    request->asked = std::move(*moment);
    step_sync(request);
  });
}

void ReaderCore::step_sync(const SyncPtr& request) {
  if (request->hopeless) return decline(request);
  const RoomTail* tail = replays_.find(request->room);
  if (!history_holds(*request, tail != nullptr ? &tail->at() : nullptr)) return decline(request);
  const bool fresh = tail != nullptr && tail->at().contains(request->asked);
  const Moment at = fresh ? later(tail->at(), request->asked) : request->asked;
  const auto& since = request->command.since;
  std::optional<domain::LogPage> page;
  if (fresh) page = tail->slice(since, request->command.limit, floor_at(at));
  // It lies within what is here and is not to be had: a gap, which is told exactly by the log only.
  if (fresh && !page && tail->covers(since)) return decline(request);
  const bool allowed = decisions_.holds(request->actor, request->room, at);
  if (page && allowed) {
    metrics_.cached_reads.add();
    return std::exchange(request->done, nullptr)(domain::SyncedRoom{request->room, std::move(*page)});
  }
  if (request->tries++ == kMaxTries) return decline(request);
  request->pending = (page ? 0 : 1) + (allowed ? 0 : 1);
  if (!page) want_log(request, fresh ? nullptr : tail);
  if (!allowed) ask(request, at, &ReaderCore::step_sync);
}

/// `tail`: one that is not new enough, and may only need what was written since.
void ReaderCore::want_log(const SyncPtr& request, const RoomTail* tail) {
  auto from = request->command.since;
  if (tail != nullptr) {
    const bool reaches = tail->covers(from) || tail->slice(from, 1, core::Uuid{}).has_value();
    if (reaches) from = tail->at().head.last_id;
  }
  replays_.load(request->room, from, [this, request](bool read) {
    if (!read) request->hopeless = true;
    arrived(request, &ReaderCore::step_sync);
  });
}

void ReaderCore::sync_uncached(const domain::Actor& actor, const domain::SyncRoom& command, SyncDone done) {
  metrics_.uncached_reads.add();
  metrics_.replay_reads.add();
  reads_->sync(actor, command, std::move(done));
}

void ReaderCore::decline(const SyncPtr& request) {
  sync_uncached(request->actor, request->command, std::exchange(request->done, nullptr));
}

core::Uuid ReaderCore::floor_at(const Moment& moment) const {
  return core::Uuid::v7_floor(moment.now - options_.event_retention);
}

}  // namespace belfry::realtime
