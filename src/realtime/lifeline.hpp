#pragma once

#include <memory>
#include <utility>

namespace belfry::realtime {

/// Answers of the database that come after their asker has gone do nothing.
class Lifeline {
 public:
  template <class F>
  auto guard(F body) {
    return [alive = std::weak_ptr(token_), body = std::move(body)](auto&&... args) mutable {
      if (!alive.expired()) body(std::forward<decltype(args)>(args)...);
    };
  }

 private:
  std::shared_ptr<int> token_ = std::make_shared<int>(0);
};

}  // namespace belfry::realtime
