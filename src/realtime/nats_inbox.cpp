#include "nats_inbox.hpp"

#include <list>
#include <utility>

namespace belfry::realtime {

namespace {

/// What waits for the I/O thread; beyond that one sweep finds all of it.
constexpr std::size_t kMaxGrown = 10'000;

}  // namespace

NatsInbox::NatsInbox(Poster poster, telemetry::Metrics& metrics, std::function<void()> wake)
    : poster_(std::move(poster)), metrics_(&metrics), wake_(std::move(wake)) {}

NatsInbox& NatsInbox::make(Poster poster, telemetry::Metrics& metrics, std::function<void()> wake) {
  static std::mutex mutex;
  // Not destroyed at exit either: the library's threads run on.
  static auto& all = *new std::list<NatsInbox>;  // NOLINT(cppcoreguidelines-owning-memory)
  const std::lock_guard lock(mutex);
  return all.emplace_back(std::move(poster), metrics, std::move(wake));
}

void NatsInbox::on_hint(std::function<void(std::optional<domain::LogHint>)> hint) {
  const std::lock_guard lock(mutex_);
  hint_ = std::move(hint);
}

void NatsInbox::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  poster_ = nullptr;
  wake_ = nullptr;
  hint_ = nullptr;
  grown_.clear();
}

void NatsInbox::grew(const domain::LogHint& hint) {
  const std::lock_guard lock(mutex_);
  if (closed_) return;
  metrics_->bus_messages.add();
  const auto known = grown_.find(hint.room);
  if (known != grown_.end()) {
    known->second = std::max(known->second, hint.last_seq);
  } else if (grown_.size() < kMaxGrown) {
    grown_.emplace(hint.room, hint.last_seq);
  } else {
    any_ = true;
  }
  post_locked();
}

void NatsInbox::may_have_grown() {
  const std::lock_guard lock(mutex_);
  if (closed_) return;
  any_ = true;
  post_locked();
}

void NatsInbox::echoed(std::string_view nonce) {
  const std::lock_guard lock(mutex_);
  if (closed_ || nonce_.empty() || nonce != nonce_) return;
  heard_at_ = Clock::now();
  wake_();
}

void NatsInbox::wake() {
  const std::lock_guard lock(mutex_);
  if (!closed_) wake_();
}

void NatsInbox::expect(std::string nonce) {
  const std::lock_guard lock(mutex_);
  nonce_ = std::move(nonce);
  heard_at_.reset();
}

std::optional<NatsInbox::Clock::time_point> NatsInbox::heard_at() const {
  const std::lock_guard lock(mutex_);
  return heard_at_;
}

void NatsInbox::post_locked() {
  if (std::exchange(posted_, true)) return;
  poster_([this] { drain(); });
}

void NatsInbox::drain() {
  std::unique_lock lock(mutex_);
  posted_ = false;
  const auto grown = std::exchange(grown_, {});
  const bool any = std::exchange(any_, false);
  const auto hint = hint_;
  lock.unlock();
  if (!hint) return;
  // The access log first: rooms that grew together with it then need not stall.
  if (const auto access = grown.find(domain::kAccessLog); access != grown.end()) {
    hint(domain::LogHint{access->first, access->second});
  }
  for (const auto& [room, last_seq] : grown) {
    if (room != domain::kAccessLog) hint(domain::LogHint{room, last_seq});
  }
  if (any) hint(std::nullopt);
}

}  // namespace belfry::realtime
