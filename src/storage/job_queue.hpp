#pragma once

#include <algorithm>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <vector>

#include "storage/pending.hpp"

namespace belfry::storage {

/// A bounded queue between the I/O thread and database threads.
template <class T>
class JobQueue {
 public:
  explicit JobQueue(std::size_t capacity) : capacity_(capacity) {}

  /// What was accepted before and comes back needs no room.
  enum class Entry { kNew, kAgain };

  /// Behind the others. False when closed, or full and new.
  bool push(std::shared_ptr<T> item, Entry entry = Entry::kNew) {
    {
      const std::lock_guard lock(mutex_);
      if (closed_ || (entry == Entry::kNew && items_.size() >= capacity_)) return false;
      items_.push_back(std::move(item));
    }
    changed_.notify_one();
    return true;
  }

  /// Waits until there is something or `until`; empty when closed or late.
  std::vector<std::shared_ptr<T>> take(std::size_t most, SteadyTime until = SteadyTime::max()) {
    std::unique_lock lock(mutex_);
    const auto ready = [this] { return closed_ || !items_.empty(); };
    if (until == SteadyTime::max()) {
      changed_.wait(lock, ready);
    } else {
      changed_.wait_until(lock, until, ready);
    }
    std::vector<std::shared_ptr<T>> taken;
    while (!closed_ && !items_.empty() && taken.size() < most) {
      taken.push_back(std::move(items_.front()));
      items_.pop_front();
    }
    return taken;
  }
  /// Everybody who waits gives up; what was queued is handed back.
  std::deque<std::shared_ptr<T>> close() {
    std::deque<std::shared_ptr<T>> left;
    {
      const std::lock_guard lock(mutex_);
      closed_ = true;
      left.swap(items_);
    }
    changed_.notify_all();
    return left;
  }
  /// Takes out what is past its deadline: with every thread busy nobody else would look at it.
  std::vector<std::shared_ptr<T>> take_late(SteadyTime now) {
    const std::lock_guard lock(mutex_);
    std::vector<std::shared_ptr<T>> late;
    std::erase_if(items_, [&](std::shared_ptr<T>& item) {
      if (item->deadline > now) return false;
      late.push_back(item);
      return true;
    });
    return late;
  }
  /// Whether one of the first that wait is such a one.
  template <class Predicate>
  bool any(Predicate such) const {
    constexpr std::size_t kLooked = 16;
    const std::lock_guard lock(mutex_);
    const auto end = items_.begin() + static_cast<std::ptrdiff_t>(std::min(items_.size(), kLooked));
    return std::any_of(items_.begin(), end, [&](const std::shared_ptr<T>& item) { return such(*item); });
  }
  bool closed() const {
    const std::lock_guard lock(mutex_);
    return closed_;
  }
  std::size_t size() const {
    const std::lock_guard lock(mutex_);
    return items_.size();
  }

 private:
  std::size_t capacity_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::shared_ptr<T>> items_;
  bool closed_ = false;
};

}  // namespace belfry::storage
