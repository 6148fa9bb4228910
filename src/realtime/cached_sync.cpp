#include <utility>

#include "reader_core.hpp"

namespace belfry::realtime {

namespace {

/// After so long a read that memory could not answer is not begun anew.
constexpr std::chrono::seconds kPatience{5};
constexpr int kMaxTries = 5;
constexpr std::int32_t kMaxLimit = 500;

core::Error took_too_long() { return core::Error::unavailable("The read took too long. Try again shortly."); }

}  // namespace

void ReaderCore::sync(const domain::Actor& actor, domain::SyncRoom command, SyncDone done) {
  const bool known = introductions_.known(actor);
  const bool valid = !actor.anonymous() && command.limit >= 1 && command.limit <= kMaxLimit;
  if (!known || !valid || options_.max_bytes == 0) return sync_uncached(actor, command, std::move(done));
  auto request = std::make_shared<SyncRequest>();
  request->actor = actor;
  request->command = std::move(command);
  request->done = std::move(done);
  request->late_at = clock_.now() + kPatience;
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
    if (moment->timeline != timeline_) return decline(request);
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
  request->pending = 1;
  // First of all: who may not read makes nobody read for them.
  if (!allowed) return ask(request, at, &ReaderCore::step_sync);
  want_log(request, fresh ? nullptr : tail);
}

/// `tail`: one that is not new enough, and first needs what was written since.
void ReaderCore::want_log(const SyncPtr& request, const RoomTail* tail) {
  const auto from = tail != nullptr ? tail->at().head.last_id : request->command.since;
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
  if (late(*request)) return std::exchange(request->done, nullptr)(core::fail(took_too_long()));
  sync_uncached(request->actor, request->command, std::exchange(request->done, nullptr));
}

core::Uuid ReaderCore::floor_at(const Moment& moment) const {
  return core::Uuid::v7_floor(moment.now - options_.event_retention);
}

}  // namespace belfry::realtime
