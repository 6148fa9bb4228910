#include "belfry/domain/channels.hpp"

#include "belfry/domain/membership.hpp"
#include "belfry/wire/json.hpp"
#include "http/endpoints.hpp"
#include "http/pages.hpp"

namespace belfry::http::mobile {
namespace {

void list_channels(const ExchangePtr& exchange) {
  const std::string& query = exchange->request().query;
  const auto limit = query_limit(query);
  if (!limit) return exchange->fail(limit.error());
  const auto before = read_channel_cursor(query);
  if (!before) return exchange->fail(before.error());
  const bool logged_in = !exchange->actor().anonymous();
  run_job<domain::Page<domain::ChannelListItem>>(
      exchange, JobMode::kRead, "channels.list", {"Channels fetched successfully"},
      [actor = exchange->actor(), before = *before, limit = *limit](UnitOfWork& work) {
        return domain::list_channels(work, actor, before, limit);
      },
      [limit = *limit, logged_in](const auto& page) { return wire::encode_channel_list(page, limit, logged_in); });
}

void view_channel(const ExchangePtr& exchange) {
  run_job<domain::ChannelView>(
      exchange, JobMode::kRead, "channels.view", {"Channel fetched successfully"},
      [actor = exchange->actor(), id = core::ChannelId{exchange->number("id")}](UnitOfWork& work) {
        return domain::view_channel(work, actor, id);
      },
      wire::encode_channel_view);
}

using MembershipService = Result<domain::Membership> (*)(UnitOfWork&, const domain::Actor&, core::ChannelId);

void change_membership(const ExchangePtr& exchange, std::string_view job, std::string_view message,
                       MembershipService service) {
  if (const auto empty = wire::decode_empty(exchange->request().body); !empty) return exchange->fail(empty.error());
  run_job<domain::Membership>(
      exchange, JobMode::kWrite, job, {message},
      [actor = exchange->actor(), id = core::ChannelId{exchange->number("id")}, service](UnitOfWork& work) {
        return service(work, actor, id);
      },
      wire::encode_membership);
}

void join_channel(const ExchangePtr& exchange) {
  change_membership(exchange, "channels.join", "Channel joined successfully", domain::join_channel);
}

void leave_channel(const ExchangePtr& exchange) {
  change_membership(exchange, "channels.leave", "Channel left successfully", domain::leave_channel);
}

void update_read_state(const ExchangePtr& exchange) {
  const auto seen = wire::decode_read_state(exchange->request().body);
  if (!seen) return exchange->fail(seen.error());
  run_job<domain::ReadState>(
      exchange, JobMode::kWrite, "read_state.update", {"Channel read state updated successfully"},
      [actor = exchange->actor(), id = core::ChannelId{exchange->number("id")}, seen = *seen](UnitOfWork& work) {
        return domain::advance_read_state(work, actor, id, seen);
      },
      wire::encode_read_state);
}

void view_read_state(const ExchangePtr& exchange) {
  run_job<domain::ReadState>(
      exchange, JobMode::kRead, "read_state.view", {"Channel read state fetched successfully"},
      [actor = exchange->actor(), id = core::ChannelId{exchange->number("id")}](UnitOfWork& work) {
        return domain::view_read_state(work, actor, id);
      },
      wire::encode_read_state);
}

constexpr Endpoint kEndpoints[] = {
    {"GET", "/api/mobile/channels", Access::kOptional, list_channels},
    {"GET", "/api/mobile/channels/{id}", Access::kOptional, view_channel},
    {"POST", "/api/mobile/channels/{id}/join", Access::kRequired, join_channel},
    {"POST", "/api/mobile/channels/{id}/leave", Access::kRequired, leave_channel},
    {"POST", "/api/mobile/channels/{id}/read-state", Access::kRequired, update_read_state},
    {"GET", "/api/mobile/channels/{id}/read-state", Access::kRequired, view_read_state},
};

}  // namespace

std::span<const Endpoint> channel_endpoints() { return kEndpoints; }

}  // namespace belfry::http::mobile
