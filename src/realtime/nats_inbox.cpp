#include "nats_inbox.hpp"

#include <list>
#include <utility>

namespace belfry::realtime {

namespace {

/// What waits for the I/O thread; beyond that one sweep finds all of it.
constexpr std::size_t kMaxGrown = 10'000;
/// Events that wait for it; what is beyond is read from the log.
constexpr std::size_t kMaxBytes = std::size_t{4} << 20;
constexpr std::size_t kMaxEvents = 512;

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

void NatsInbox::understand(std::shared_ptr<const NatsHints> hints) {
  const std::lock_guard lock(mutex_);
  hints_ = std::move(hints);
}

void NatsInbox::arrived(std::string_view subject, std::string_view text) {
  std::unique_lock lock(mutex_);
  const auto hints = closed_ ? nullptr : hints_;
  lock.unlock();
  if (!hints) return;
  auto hint = hints->hear(subject, text);
  if (hint) grew(std::move(*hint), text.size());
}

void NatsInbox::grew(domain::LogHint hint, std::size_t bytes) {
  const std::lock_guard lock(mutex_);
  if (closed_) return;
  metrics_->bus_messages.add();
  if (!hint.events.empty()) metrics_->bus_messages_with_events.add();
  if (bytes_ + bytes > kMaxBytes) hint.events.clear();
  if (!hint.events.empty()) bytes_ += bytes;
  const auto known = grown_.find(hint.room);
  if (known != grown_.end()) {
    merge(known->second, std::move(hint), kMaxEvents);
  } else if (grown_.size() < kMaxGrown) {
    grown_.emplace(hint.room, std::move(hint));
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
  bytes_ = 0;
  const auto grown = std::exchange(grown_, {});
  const bool any = std::exchange(any_, false);
  const auto hint = hint_;
  lock.unlock();
  if (!hint) return;
  // The access log first: rooms that grew together with it then need not stall.
  if (const auto access = grown.find(domain::kAccessLog); access != grown.end()) hint(access->second);
  for (const auto& [room, told] : grown) {
    if (room != domain::kAccessLog) hint(told);
  }
  if (any) hint(std::nullopt);
}

}  // namespace belfry::realtime
