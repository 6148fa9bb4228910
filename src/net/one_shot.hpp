#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "belfry/runtime/loop.hpp"

namespace belfry::net {

/// A coroutine's wait for a callback, that can be given up from outside.
class PendingAnswer {
 public:
  virtual ~PendingAnswer() = default;
  /// Destroys the coroutine that waits. For the end of the server, when no loop will resume it.
  virtual void abandon() = 0;
};

/// The answer of one callback, awaited by one coroutine. A callback that is dropped without a call answers with
/// nothing, so that a component that goes down leaves no coroutine behind. Loop's thread only.
template <class T>
class OneShot : public PendingAnswer, public std::enable_shared_from_this<OneShot<T>> {
 public:
  explicit OneShot(runtime::Executor executor) : executor_(executor) {}

  std::move_only_function<void(T)> callback() {
    return [guard = Guard(this->shared_from_this())](T value) mutable { guard.answer(std::move(value)); };
  }
  bool answered() const { return answered_; }
  /// Waits no longer: answers with nothing. What is called later is ignored.
  void give_up() { settle(std::nullopt); }
  runtime::Task<std::optional<T>> wait() {
    const auto self = this->shared_from_this();
    if (!answered_) {
      co_await boost::asio::async_initiate<const boost::asio::use_awaitable_t<runtime::Executor>, void()>(
          [self](auto handler) { self->waiter_ = std::move(handler); },
          boost::asio::use_awaitable_t<runtime::Executor>());
    }
    co_return std::move(value_);
  }
  void abandon() override {
    abandoned_ = true;
    const auto dropped = std::exchange(waiter_, nullptr);
  }

 private:
  class Guard {
   public:
    explicit Guard(std::shared_ptr<OneShot> shot) : shot_(std::move(shot)) {}
    Guard(Guard&&) noexcept = default;
    Guard& operator=(Guard&&) = delete;
    ~Guard() {
      if (shot_) shot_->settle(std::nullopt);
    }
    void answer(T value) {
      if (const auto shot = std::exchange(shot_, nullptr)) shot->settle(std::move(value));
    }

   private:
    std::shared_ptr<OneShot> shot_;
  };

  void settle(std::optional<T> value) {
    if (answered_ || abandoned_) return;
    answered_ = true;
    value_ = std::move(value);
    if (waiter_) boost::asio::post(executor_, std::exchange(waiter_, nullptr));
  }

  runtime::Executor executor_;
  std::optional<T> value_;
  bool answered_ = false;
  bool abandoned_ = false;
  std::move_only_function<void()> waiter_;
};

}  // namespace belfry::net
