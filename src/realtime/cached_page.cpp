#include <utility>

#include "reader_core.hpp"

namespace belfry::realtime {

namespace {

/// After so long a read that memory could not answer is not begun anew.
constexpr std::chrono::seconds kPatience{5};
constexpr int kMaxTries = 3;
/// Pages that are read and wait for the barrier: none of them is counted as memory.
constexpr std::size_t kMostReadThrough = 512;

std::size_t hash_of(const domain::RoomReader::Page& page) {
  const auto kind = static_cast<std::size_t>(page.target.kind);
  return (std::hash<std::string>{}(page.name) * 31 + std::hash<core::ChannelId>{}(page.target.channel_id)) * 4 + kind;
}

core::Error took_too_long() { return core::Error::unavailable("The read took too long. Try again shortly."); }

}  // namespace

void ReaderCore::cached(const domain::Actor& actor, Page page, Load load, PageDone done) {
  // Each of them is asked, so that each learns: somebody new, or something that is asked for the first time.
  const bool known = introductions_.known(actor);
  const bool wanted = doorkeeper_.again(hash_of(page));
  const bool stranger = actor.anonymous() && page.target.kind != domain::RoomKind::kPosts;
  auto request = std::make_shared<PageRequest>();
  request->actor = actor;
  request->name = std::move(page.name);
  request->load = std::move(load);
  request->done = std::move(done);
  request->late_at = clock_.now() + kPatience;
  if (!known || stranger || options_.max_bytes == 0) return decline(request);
  resolve(page.target, [this, request, wanted](std::optional<domain::RoomKey> room) {
    if (!room || unusable(request->actor, *room)) return decline(request);
    request->room = *room;
    wanted ? begin(request) : read_through(request);
  });
}

/// A page that nobody else asks for: only the right to it comes from memory. The page is read in one statement, and the
/// barrier comes behind it. Who was allowed before that, and is by the same decision after it, was so in between.
void ReaderCore::read_through(const PagePtr& request) {
  if (request->hopeless) return decline(request);
  request->allowed = decisions_.mark(request->actor, request->room);
  request->epoch = epoch_;
  if (!request->allowed) return decide_first(request, Moment{});
  if (reading_through_ >= kMostReadThrough) return decline(request);
  ++reading_through_;
  reads_->content(request->room, request->load, line_.guard([this, request](core::Result<std::string> page) {
    if (!page) return read_failed(request, std::move(page.error()));
    barrier_.pass(request->room, [this, request, page = std::move(*page)](core::Result<Moment> moment) mutable {
      if (!moment) return read_failed(request, std::move(moment.error()));
      --reading_through_;
      if (moment->timeline != timeline_ || request->epoch != epoch_) return decline(request);
      if (!still_allowed(request, *moment)) return decide_first(request, *moment);
      metrics_.decided_reads.add();
      std::exchange(request->done, nullptr)(std::make_shared<const core::SharedText>(std::move(page)));
    });
  }));
}

void ReaderCore::read_failed(const PagePtr& request, core::Error error) {
  --reading_through_;
  if (error.code != core::ErrorCode::kUnavailable) return decline(request);
  std::exchange(request->done, nullptr)(core::fail(std::move(error)));
}

/// Once: then what was read before is read again.
void ReaderCore::decide_first(const PagePtr& request, const Moment& at) {
  if (request->tries++ > 0) return decline(request);
  request->pending = 1;
  ask(request, at, &ReaderCore::read_through);
}

bool ReaderCore::still_allowed(const PagePtr& request, const Moment& moment) {
  return decisions_.mark(request->actor, request->room) == request->allowed &&
         decisions_.holds(request->actor, request->room, moment);
}

void ReaderCore::begin(const PagePtr& request) {
  if (const auto page = pages_.find(request->room, request->name)) request->seen_seq = page->at.head.last_seq;
  barrier_.pass(request->room, [this, request](core::Result<Moment> moment) {
    if (!moment) {
      if (moment.error().code != core::ErrorCode::kUnavailable) return decline(request);
      return std::exchange(request->done, nullptr)(core::fail(std::move(moment.error())));
    }
    if (moment->timeline != timeline_) return decline(request);
    request->asked = std::move(*moment);
    step_page(request);
  });
}

void ReaderCore::step_page(const PagePtr& request) {
  if (request->hopeless) return decline(request);
  auto page = pages_.find(request->room, request->name);
  if (!page || (request->found && request->found->at.contains(page->at))) page = request->found;
  if (!history_holds(*request, page ? &page->at : nullptr)) return decline(request);
  const bool fresh = page && page->at.contains(request->asked);
  const Moment at = fresh ? later(page->at, request->asked) : request->asked;
  const bool allowed = decisions_.holds(request->actor, request->room, at);
  if (fresh && allowed) {
    metrics_.cached_reads.add();
    return std::exchange(request->done, nullptr)(page->bytes);
  }
  if (request->tries++ == kMaxTries) return decline(request);
  request->pending = 1;
  // First of all: who may not read makes nobody read for them.
  if (!allowed) return ask(request, at, &ReaderCore::step_page);
  pages_.load(request->room, request->name, request->load, [this, request](PageCache::Found found) {
    if (!found) request->hopeless = true;
    request->found = std::move(found);
    arrived(request, &ReaderCore::step_page);
  });
}

void ReaderCore::decline(const PagePtr& request) {
  if (late(*request)) return std::exchange(request->done, nullptr)(core::fail(took_too_long()));
  metrics_.uncached_reads.add();
  std::exchange(request->done, nullptr)(Bytes{});
}

}  // namespace belfry::realtime
