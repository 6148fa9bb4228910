#include "reader_core.hpp"

#include <utility>

#include "belfry/telemetry/log.hpp"

namespace belfry::realtime {

namespace {

constexpr std::size_t kRememberedTargets = 10'000;

}  // namespace

ReaderCore::ReaderCore(const RoomReaderOptions& options, std::unique_ptr<ReaderReads> reads, const core::Clock& clock,
                       telemetry::Metrics& metrics, std::function<void(std::int64_t)> want_access)
    : options_(options),
      reads_(std::move(reads)),
      metrics_(metrics),
      want_access_(std::move(want_access)),
      budget_(options.max_bytes, metrics),
      barrier_(*reads_, metrics),
      decisions_(options.max_decisions, !options.external_grants),
      desk_(*reads_, decisions_, metrics),
      pages_(*reads_, budget_, metrics),
      replays_(*reads_, budget_, metrics),
      clock_(clock),
      doorkeeper_(clock),
      targets_(kRememberedTargets) {}

void ReaderCore::access_restarted(std::optional<std::int64_t> seq) {
  decisions_.access_restarted(seq);
  if (!seq) reset();
}

void ReaderCore::history(std::optional<domain::Timeline> timeline) {
  if (timeline == timeline_) return;
  timeline_ = timeline;
  reset();
}

void ReaderCore::access_applied(core::UserId subject, std::int64_t seq) { decisions_.access_applied(subject, seq); }

void ReaderCore::allowed(const domain::Actor& actor, const domain::RoomKey& room,
                         const domain::RoomDecision& decision) {
  introductions_.met(actor);
  decisions_.put(actor, room, decision);
}

/// Empty: there is no such room, or it cannot be found now.
void ReaderCore::resolve(const domain::RoomTarget& target, Resolved done) {
  if (target.kind == domain::RoomKind::kPosts) return done(domain::posts_room(target.channel_id));
  if (const auto known = targets_.find(target)) return done(*known);
  auto& waiting = resolving_[target.channel_id.value];
  waiting.push_back(std::move(done));
  if (waiting.size() > 1) return;
  reads_->resolve(target, line_.guard([this, target, epoch = epoch_](core::Result<domain::RoomKey> room) {
    if (room && epoch == epoch_) targets_.put(target, *room);
    auto asked = resolving_.extract(target.channel_id.value);
    for (auto& next : asked.mapped()) next(room ? std::optional(*room) : std::nullopt);
  }));
}

bool ReaderCore::unusable(const domain::Actor& actor, const domain::RoomKey& room) const {
  return !actor.admin() && desk_.rests_on_grant(room);
}

/// Memory that reached further than the barrier, or another record at its place, is of a lost history.
bool ReaderCore::history_holds(const Request& request, const Moment* kept) {
  const bool holds =
      request.asked.head.last_seq >= request.seen_seq && (kept == nullptr || !kept->contradicts(request.asked));
  if (holds) return true;
  telemetry::warn("cache_forked", {{"kind", static_cast<std::int64_t>(request.room.kind)}, {"key", request.room.key}});
  reset();
  return false;
}

/// Rooms too: a lost history may have given their numbers to others. And whom its jobs wrote down is written again.
void ReaderCore::reset() {
  ++epoch_;
  targets_.clear();
  introductions_ = {};
  decisions_.clear();
  pages_.clear();
  replays_.clear();
}

std::unique_ptr<CachedRoomReader> make_room_reader(const RoomReaderOptions& options, domain::Database& database,
                                                   Hub& hub, const core::Clock& clock, telemetry::Metrics& metrics) {
  class Listening final : public CachedRoomReader {
   public:
    Listening(Hub& hub, std::unique_ptr<ReaderCore> core) : hub_(hub), core_(std::move(core)) {
      hub_.observe(core_.get());
    }
    ~Listening() override { hub_.observe(nullptr); }
    void cached(const domain::Actor& actor, Page page, Load load, PageDone done) override {
      core_->cached(actor, std::move(page), std::move(load), std::move(done));
    }
    void sync(const domain::Actor& actor, domain::SyncRoom command, SyncDone done) override {
      core_->sync(actor, std::move(command), std::move(done));
    }
    void on_database_restored() override { core_->on_database_restored(); }

   private:
    Hub& hub_;
    std::unique_ptr<ReaderCore> core_;
  };
  return std::make_unique<Listening>(
      hub, std::make_unique<ReaderCore>(options, make_database_reader_reads(database), clock, metrics,
                                        [&hub](std::int64_t seq) { hub.want_access(seq); }));
}

}  // namespace belfry::realtime
