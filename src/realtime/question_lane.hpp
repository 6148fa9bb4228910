#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <utility>
#include <vector>

#include "belfry/runtime/wheel.hpp"
#include "room_state.hpp"

namespace belfry::realtime {

/// Questions about subscriptions that wait to be decided, and when they may be asked: a read is shared by whoever came
/// while the one before it was in flight. I/O thread only.
class QuestionLane {
 public:
  struct Question {
    std::weak_ptr<Subscription> sub;
    std::int64_t room_seq = 0;  ///< the room's position when it was asked
    std::int64_t access_seq = 0;
  };
  using Batch = std::vector<Question>;
  using Clock = runtime::Wheel::Clock;
  using TimePoint = Clock::time_point;

  /// `max_in_flight`: reads, when those in flight take long.
  explicit QuestionLane(std::size_t max_in_flight) : max_in_flight_(max_in_flight) {}

  void push(std::weak_ptr<Subscription> sub, TimePoint now) {
    const auto gap = std::min<Clock::duration>(now - last_, kLongestGap);
    gap_ += (gap - gap_) / kGapsKept;
    last_ = now;
    queue_.push_back(std::move(sub));
  }
  bool ready() const {
    if (in_flight_ >= max_in_flight_) return false;
    if (!halves_.empty()) return true;
    if (queue_.size() >= kMaxBatch) return in_flight_ < kMostFull || !sharing_.active();
    return !queue_.empty() && !sharing_.active() && !paused();
  }
  /// Empty: nobody is left who asks.
  Batch take() {
    Batch batch;
    while (!halves_.empty() && batch.empty()) {
      batch = std::move(halves_.front());
      halves_.pop_front();
      std::erase_if(batch, [](const Question& question) { return !asks(question.sub.lock()); });
    }
    if (!batch.empty()) return batch;
    while (!queue_.empty() && batch.size() < kMaxBatch) {
      const auto sub = queue_.front().lock();
      queue_.pop_front();
      if (asks(sub)) batch.push_back({.sub = sub});
    }
    return batch;
  }

  void begun() { ++in_flight_; }
  void ended() {
    --in_flight_;
    sharing_.cancel();
  }
  void succeeded() { failures_ = 0; }
  /// Keeps the halves to be tried again; what it gives back is given up.
  Batch failed(Batch batch) {
    ++failures_;
    if (batch.size() > 1 && failures_ < kGiveUp) {
      const auto middle = batch.begin() + static_cast<std::ptrdiff_t>(batch.size() / 2);
      halves_.emplace_back(batch.begin(), middle);
      halves_.emplace_back(middle, batch.end());
      return {};
    }
    if (failures_ < kGiveUp) return batch;
    for (auto& half : std::exchange(halves_, {})) batch.insert(batch.end(), half.begin(), half.end());
    failures_ = 0;
    return batch;
  }

  /// Until the timer fires or a read ends, what comes waits for each other.
  void share(runtime::Wheel::Timer timer) { sharing_ = std::move(timer); }
  void stop_sharing() { sharing_.cancel(); }

  /// Adds to the questions of this breath; true when a breath begins, whose end is to be told.
  bool counts(std::size_t questions) {
    breath_ += questions;
    return !pace_.active();
  }
  void pace(runtime::Wheel::Timer timer) { pace_ = std::move(timer); }
  void breathe() {
    pace_.cancel();
    herd_ = breath_ > kHerd;
    breath_ = 0;
  }
  /// Somebody waits for the end of the breath.
  bool holds_back() const { return !queue_.empty() && paused(); }
  /// How long nobody has to come until the herd counts as complete: some times the distance at which they came. Zero or
  /// less: it is.
  Clock::duration until_quiet(TimePoint now) const {
    return last_ + std::clamp<Clock::duration>(gap_ * kQuietGaps, kShortestQuiet, kLongestGap) - now;
  }

  void stop() {
    sharing_.cancel();
    pace_.cancel();
  }

 private:
  static constexpr std::size_t kMaxBatch = 500;
  /// Full batches that may be in flight together.
  static constexpr std::size_t kMostFull = 2;
  /// After so many failed reads without a success the rest of the halves is not tried.
  static constexpr std::size_t kGiveUp = 12;
  /// More questions than that in one breath are a herd.
  static constexpr std::size_t kHerd = 16;

  static constexpr std::chrono::milliseconds kLongestGap{20};
  static constexpr std::chrono::milliseconds kShortestQuiet{1};
  static constexpr int kQuietGaps = 4;
  static constexpr int kGapsKept = 8;  ///< over how many the mean distance goes

  static bool asks(const SubscriptionPtr& sub) { return sub && !sub->gone(); }
  bool paused() const { return pace_.active() && breath_ > (herd_ ? 0 : kHerd); }

  std::size_t max_in_flight_;
  std::size_t in_flight_ = 0;
  std::size_t failures_ = 0;  ///< in a row
  std::size_t breath_ = 0;
  bool herd_ = false;                  ///< the breath before was one
  Clock::duration gap_ = kLongestGap;  ///< between two questions, a running mean
  TimePoint last_{};
  runtime::Wheel::Timer sharing_;
  runtime::Wheel::Timer pace_;
  std::deque<std::weak_ptr<Subscription>> queue_;
  std::deque<Batch> halves_;  ///< of a batch that failed as a whole
};

}  // namespace belfry::realtime
