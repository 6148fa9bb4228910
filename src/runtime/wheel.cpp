#include "belfry/runtime/wheel.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace belfry::runtime {
namespace {

constexpr auto kTick = std::chrono::milliseconds(50);
constexpr std::size_t kSlots = 4096;  // 205 s for one turn of the wheel; longer delays pass their slot more than once

struct Link {
  Link* previous = this;
  Link* next = this;

  Link() = default;
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  bool linked() const { return next != this; }
  void unlink() {
    previous->next = next;
    next->previous = previous;
    previous = next = this;
  }
  void insert_before(Link& position) {
    previous = position.previous;
    next = &position;
    previous->next = this;
    position.previous = this;
  }
};

}  // namespace

// Owned by its Timer alone: whoever is linked into the wheel is alive, because dropping the Timer unlinks it.
struct Wheel::Entry : Link {
  std::uint64_t due_tick = 0;
  std::move_only_function<void()> callback;
};

struct Wheel::Impl {
  Clock::time_point start;
  Clock::time_point now;
  bool real_clock = false;
  std::uint64_t tick = 0;  // the last tick that was fired
  std::size_t pending = 0;
  std::array<Link, kSlots> slots;
  Link firing;

  std::uint64_t tick_at_or_after(Clock::time_point at) const {
    const auto since = at - start;
    return since <= Clock::duration::zero() ? 0
                                            : static_cast<std::uint64_t>((since + kTick - Clock::duration(1)) / kTick);
  }
  Link& slot(std::uint64_t of_tick) { return slots[of_tick % kSlots]; }

  void collect_due() {
    Link& head = slot(tick);
    for (Link* link = head.next; link != &head;) {
      auto& entry = static_cast<Entry&>(*link);
      link = link->next;
      if (entry.due_tick > tick) continue;
      entry.unlink();
      entry.insert_before(firing);
    }
  }

  // A callback may add and cancel any timer, its own too, and may throw: the list is consistent before each call.
  void fire() {
    while (firing.linked()) {
      auto& entry = static_cast<Entry&>(*firing.next);
      entry.unlink();
      --pending;
      auto callback = std::move(entry.callback);
      callback();
    }
  }
};

Wheel::Wheel() : Wheel(Clock::now()) { impl_->real_clock = true; }

Wheel::Wheel(Clock::time_point start) : impl_(std::make_shared<Impl>()) { impl_->start = impl_->now = start; }

Wheel::~Wheel() {
  // Timers may outlive the wheel: leave none of them linked to it.
  const auto clear = [](Link& head) {
    while (head.linked()) head.next->unlink();
  };
  std::ranges::for_each(impl_->slots, clear);
  clear(impl_->firing);
}

Wheel::Timer Wheel::after(std::chrono::milliseconds delay, std::move_only_function<void()> callback) {
  auto entry = std::make_shared<Entry>();
  entry->due_tick =
      std::max(impl_->tick_at_or_after(now() + std::max(delay, std::chrono::milliseconds(0))), impl_->tick + 1);
  entry->callback = std::move(callback);
  entry->insert_before(impl_->slot(entry->due_tick));
  ++impl_->pending;
  Timer timer;
  timer.wheel_ = impl_;
  timer.entry_ = std::move(entry);
  return timer;
}

void Wheel::advance(Clock::time_point now) {
  const auto impl = impl_;  // a callback may destroy the wheel
  impl->now = std::max(impl->now, now);
  impl->fire();  // what a throwing callback left behind
  const auto target = static_cast<std::uint64_t>((impl->now - impl->start) / kTick);
  while (impl->tick < target) {
    if (impl->pending == 0) {
      impl->tick = target;
      return;
    }
    ++impl->tick;
    impl->collect_due();
    impl->fire();
  }
}

// The last advance may lie in the past by a late tick: counting from it would fire early.
Wheel::Clock::time_point Wheel::now() const {
  return impl_->real_clock ? std::max(impl_->now, Clock::now()) : impl_->now;
}

std::size_t Wheel::size() const { return impl_->pending; }

Wheel::Timer::Timer(Timer&& other) noexcept
    : wheel_(std::exchange(other.wheel_, {})), entry_(std::exchange(other.entry_, nullptr)) {}

Wheel::Timer& Wheel::Timer::operator=(Timer&& other) noexcept {
  if (this == &other) return *this;
  cancel();
  wheel_ = std::exchange(other.wheel_, {});
  entry_ = std::exchange(other.entry_, nullptr);
  return *this;
}

Wheel::Timer::~Timer() { cancel(); }

void Wheel::Timer::cancel() {
  const auto entry = std::exchange(entry_, nullptr);
  if (!entry || !entry->linked()) return;
  entry->unlink();
  if (const auto wheel = wheel_.lock()) --wheel->pending;
}

bool Wheel::Timer::active() const { return entry_ && entry_->linked(); }

}  // namespace belfry::runtime
