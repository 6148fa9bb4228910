#pragma once

#include <cstddef>
#include <functional>
#include <list>
#include <utility>

#include "belfry/telemetry/metrics.hpp"

namespace belfry::realtime {

/// The bytes that caches share: what was used longest ago goes first. I/O thread only.
class ByteBudget {
 public:
  using Drop = std::function<void()>;

 private:
  struct Node {
    std::size_t bytes;
    Drop drop;
  };
  using Nodes = std::list<Node>;

 public:
  ByteBudget(std::size_t max_bytes, telemetry::Metrics& metrics) : max_bytes_(max_bytes), metrics_(metrics) {}

  /// What one entry takes; given back when it is destroyed. The budget must outlive it.
  class Share {
   public:
    Share() = default;
    Share(ByteBudget& budget, std::size_t bytes, Drop drop) : budget_(&budget) {
      at_ = budget.nodes_.insert(budget.nodes_.begin(), Node{bytes, std::move(drop)});
      budget.add(bytes);
    }
    Share(Share&& other) noexcept : budget_(std::exchange(other.budget_, nullptr)), at_(other.at_) {}
    Share& operator=(Share&& other) noexcept {
      if (this != &other) {
        release();
        budget_ = std::exchange(other.budget_, nullptr);
        at_ = other.at_;
      }
      return *this;
    }
    ~Share() { release(); }

    void touch() { budget_->nodes_.splice(budget_->nodes_.begin(), budget_->nodes_, at_); }
    void resize(std::size_t bytes) {
      budget_->sub(at_->bytes);
      at_->bytes = bytes;
      budget_->add(bytes);
    }

   private:
    void release() {
      if (budget_ == nullptr) return;
      budget_->sub(at_->bytes);
      budget_->nodes_.erase(at_);
      budget_ = nullptr;
    }
    ByteBudget* budget_ = nullptr;
    Nodes::iterator at_;
  };

  /// Drops entries, which destroys their shares, until the rest fits.
  void trim() {
    while (used_ > max_bytes_ && !nodes_.empty()) {
      const Drop drop = nodes_.back().drop;
      drop();
    }
  }
  std::size_t used() const { return used_; }

 private:
  void add(std::size_t bytes) { change(used_ + bytes); }
  void sub(std::size_t bytes) { change(used_ - bytes); }
  void change(std::size_t used) {
    used_ = used;
    metrics_.cache_bytes.set(static_cast<std::int64_t>(used));
  }

  std::size_t max_bytes_;
  telemetry::Metrics& metrics_;
  Nodes nodes_;
  std::size_t used_ = 0;
};

}  // namespace belfry::realtime
