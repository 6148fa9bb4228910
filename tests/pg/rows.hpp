#pragma once

#include <string>
#include <utility>

#include "belfry/core/uuid.hpp"
#include "belfry/domain/entities.hpp"

/// Plain entities for tests of the tables: valid, unremarkable, to be changed by the test where it matters.
namespace belfry::pgtest {

inline domain::TimePoint at(std::int64_t seconds, std::int64_t milliseconds = 0) {
  return domain::TimePoint{std::chrono::milliseconds{1'700'000'000'000 + seconds * 1000 + milliseconds}};
}

inline core::Uuid any_uuid() { return core::Uuid::v7(at(0)); }
inline domain::UserId any_user() { return {any_uuid()}; }

inline domain::Channel open_channel(domain::TimePoint created_at = at(0)) {
  domain::Channel channel;
  channel.public_id = any_uuid();
  channel.status = domain::ChannelStatus::kActive;
  channel.title = "News";
  channel.created_by = any_user();
  channel.created_at = created_at;
  channel.updated_at = created_at;
  return channel;
}

inline domain::Channel gated_channel(std::string key, domain::TimePoint created_at = at(0)) {
  auto channel = open_channel(created_at);
  channel.access_policy = domain::AccessPolicy::kExternalGated;
  channel.entitlement_key = std::move(key);
  return channel;
}

inline domain::Post text_post(domain::ChannelId channel, std::string text = "text") {
  domain::Post post;
  post.channel_id = channel;
  post.published_at = at(1);
  post.created_by = any_user();
  post.body_text = std::move(text);
  post.created_at = at(1);
  post.updated_at = at(1);
  return post;
}

inline domain::Discussion any_discussion(domain::ChannelId channel) {
  domain::Discussion discussion;
  discussion.public_id = any_uuid();
  discussion.channel_id = channel;
  discussion.title = "Talk";
  discussion.created_by = any_user();
  discussion.created_at = at(0);
  discussion.updated_at = at(0);
  return discussion;
}

inline domain::Message any_message(domain::ThreadId thread, domain::ActorRef author, std::string body = "hello") {
  domain::Message message;
  message.public_id = any_uuid();
  message.thread_id = thread;
  message.author.ref = author;
  message.body = std::move(body);
  message.created_at = at(1);
  message.updated_at = at(1);
  return message;
}

inline domain::ActorRef as_user(domain::UserId id) { return {domain::ActorType::kUser, id}; }

}  // namespace belfry::pgtest
