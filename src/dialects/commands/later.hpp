#pragma once

#include <exception>
#include <utility>

namespace belfry::dialects::commands {

/// For what comes back to a session later: it does nothing once the owner is gone or `over()`, and what it throws ends
/// that owner (`broke`), and nobody else. The owner is held by a shared pointer. I/O thread only.
template <class Owner, class F>
auto later(Owner& owner, F body) {
  return [weak = owner.weak_from_this(), body = std::move(body)](auto&&... args) mutable {
    const auto self = weak.lock();
    if (!self || self->over()) return;
    try {
      body(std::forward<decltype(args)>(args)...);
    } catch (const std::exception& failure) {
      self->broke(failure.what());
    }
  };
}

}  // namespace belfry::dialects::commands
