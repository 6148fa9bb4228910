#pragma once

#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "barrier.hpp"
#include "belfry/realtime/room_reader.hpp"
#include "decision_cache.hpp"
#include "decision_desk.hpp"
#include "doorkeeper.hpp"
#include "hub_observer.hpp"
#include "page_cache.hpp"
#include "reader_reads.hpp"
#include "replay_cache.hpp"

namespace belfry::realtime {

/// The rule by which memory is served: the barrier gives the moment of the request; content must be of that moment or
/// later; and the reader must be known to be allowed at the later of both, never only before it. What is missing is
/// read, a few times at most; then, and in every doubt, the request is answered by one job that decides and reads.
class ReaderCore final : public CachedRoomReader, public HubObserver {
 public:
  /// `want_access` makes the hub read the access log up to there.
  ReaderCore(const RoomReaderOptions& options, std::unique_ptr<ReaderReads> reads, const core::Clock& clock,
             telemetry::Metrics& metrics, std::function<void(std::int64_t)> want_access);

  void cached(const domain::Actor& actor, Page page, Load load, PageDone done) override;
  void sync(const domain::Actor& actor, domain::SyncRoom command, SyncDone done) override;
  void on_database_restored() override { reset(); }

  void access_restarted(std::optional<std::int64_t> seq) override;
  void history(std::optional<domain::Timeline> timeline) override;
  void access_applied(core::UserId subject, std::int64_t seq) override;
  void delivered(const domain::SharedEvent& event) override { replays_.grow(event); }
  void allowed(const domain::Actor& actor, const domain::RoomKey& room, const domain::RoomDecision& decision) override;

 private:
  /// One request on its way. What it waits for holds it.
  struct Request {
    domain::Actor actor;
    domain::RoomKey room;
    std::int64_t seen_seq = 0;  ///< how far memory reached when it came: the barrier must reach as far
    Moment asked;
    int tries = 0;
    int pending = 0;
    bool hopeless = false;
    core::TimePoint late_at{};  ///< the long way is not begun any more
  };
  struct PageRequest : Request {
    std::string name;
    Load load;
    PageDone done;
    PageCache::Found found;
    std::optional<DecisionCache::Mark> allowed;  ///< before a page was read that is not kept
    std::uint64_t epoch = 0;                     ///< then
  };
  struct SyncRequest : Request {
    domain::SyncRoom command;
    SyncDone done;
  };
  using PagePtr = std::shared_ptr<PageRequest>;
  using SyncPtr = std::shared_ptr<SyncRequest>;
  using Resolved = std::move_only_function<void(std::optional<domain::RoomKey>)>;

  void resolve(const domain::RoomTarget& target, Resolved done);
  bool late(const Request& request) const { return clock_.now() >= request.late_at; }
  bool unusable(const domain::Actor& actor, const domain::RoomKey& room) const;
  bool history_holds(const Request& request, const Moment* kept);
  /// Asks for the decision; `step` runs when everything that is pending is there.
  template <class Ptr>
  void ask(const Ptr& request, const Moment& at, void (ReaderCore::*step)(const Ptr&));
  template <class Ptr>
  void arrived(const Ptr& request, void (ReaderCore::*step)(const Ptr&));

  // cached_page.cpp
  void begin(const PagePtr& request);
  void step_page(const PagePtr& request);
  void read_through(const PagePtr& request);
  void read_failed(const PagePtr& request, core::Error error);
  void decide_first(const PagePtr& request, const Moment& at);
  bool still_allowed(const PagePtr& request, const Moment& moment);
  void decline(const PagePtr& request);

  // cached_sync.cpp
  void begin(const SyncPtr& request);
  void step_sync(const SyncPtr& request);
  void want_log(const SyncPtr& request, const RoomTail* tail);
  void sync_uncached(const domain::Actor& actor, const domain::SyncRoom& command, SyncDone done);
  void decline(const SyncPtr& request);
  core::Uuid floor_at(const Moment& moment) const;

  void reset();

  RoomReaderOptions options_;
  std::unique_ptr<ReaderReads> reads_;
  telemetry::Metrics& metrics_;
  std::function<void(std::int64_t)> want_access_;
  ByteBudget budget_;
  Barrier barrier_;
  DecisionCache decisions_;
  DecisionDesk desk_;
  PageCache pages_;
  ReplayCache replays_;
  const core::Clock& clock_;
  Doorkeeper doorkeeper_;
  Introductions introductions_;
  TargetCache targets_;
  std::unordered_map<std::int64_t, std::vector<Resolved>> resolving_;  ///< discussions, by channel
  std::optional<domain::Timeline> timeline_ = domain::Timeline{0};     ///< in which memory is known to be
  std::uint64_t epoch_ = 0;                                            ///< of memory
  std::size_t reading_through_ = 0;
  Lifeline line_;
};

template <class Ptr>
void ReaderCore::ask(const Ptr& request, const Moment& at, void (ReaderCore::*step)(const Ptr&)) {
  if (at.access_seq > decisions_.applied()) want_access_(at.access_seq);
  desk_.ask(request->actor, request->room, [this, request, step](Verdict verdict) {
    if (verdict != Verdict::kAllowed) request->hopeless = true;
    arrived(request, step);
  });
}

template <class Ptr>
void ReaderCore::arrived(const Ptr& request, void (ReaderCore::*step)(const Ptr&)) {
  if (--request->pending == 0) (this->*step)(request);
}

}  // namespace belfry::realtime
