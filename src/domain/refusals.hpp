#pragma once

#include "belfry/core/result.hpp"

/// The sentences that several services answer with.
namespace belfry::domain {

inline core::Error channel_not_found() { return core::Error::not_found("Channel not found."); }
inline core::Error discussion_not_found() { return core::Error::not_found("Discussion not found."); }
inline core::Error post_not_found() { return core::Error::not_found("Post not found."); }
inline core::Error message_not_found() { return core::Error::not_found("Message not found."); }
inline core::Error login_required() {
  return core::Error::unauthorized(core::Reason::kLoginRequired, "A login is required.");
}

}  // namespace belfry::domain
