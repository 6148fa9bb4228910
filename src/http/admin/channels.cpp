#include "belfry/domain/channels.hpp"

#include "belfry/wire/json.hpp"
#include "http/endpoints.hpp"
#include "http/pages.hpp"

namespace belfry::http::admin {
namespace {

void create_channel(const ExchangePtr& exchange) {
  auto command = wire::decode_create_channel(exchange->request().body);
  if (!command) return exchange->fail(command.error());
  auto key = exchange->idempotency_key();
  if (!key) return exchange->fail(key.error());
  command->idempotency = std::move(*key);
  run_job<domain::Channel>(
      exchange, JobMode::kWrite, "channels.create", {"Channel created successfully", 201},
      [actor = exchange->actor(), command = std::move(*command)](UnitOfWork& work) {
        return domain::create_channel(work, actor, command);
      },
      wire::encode_channel_admin);
}

void list_channels(const ExchangePtr& exchange) {
  const std::string& query = exchange->request().query;
  const auto limit = query_limit(query);
  if (!limit) return exchange->fail(limit.error());
  const auto before = read_channel_cursor(query);
  if (!before) return exchange->fail(before.error());
  run_job<domain::Page<domain::Channel>>(
      exchange, JobMode::kRead, "channels.list_all", {"Channels fetched successfully"},
      [before = *before, limit = *limit](UnitOfWork& work) { return domain::list_all_channels(work, before, limit); },
      [limit = *limit](const auto& page) { return wire::encode_channel_admin_list(page, limit); });
}

void view_channel(const ExchangePtr& exchange) {
  run_job<domain::Channel>(
      exchange, JobMode::kRead, "channels.find", {"Channel fetched successfully"},
      [id = core::ChannelId{exchange->number("id")}](UnitOfWork& work) { return domain::find_channel(work, id); },
      wire::encode_channel_admin);
}

void update_channel(const ExchangePtr& exchange) {
  auto command = wire::decode_update_channel(exchange->request().body);
  if (!command) return exchange->fail(command.error());
  command->id = {exchange->number("id")};
  run_job<domain::Channel>(
      exchange, JobMode::kWrite, "channels.update", {"Channel updated successfully"},
      [actor = exchange->actor(), command = std::move(*command)](UnitOfWork& work) {
        return domain::update_channel(work, actor, command);
      },
      wire::encode_channel_admin);
}

constexpr Endpoint kEndpoints[] = {
    {"POST", "/api/admin/channels", Access::kAdmin, create_channel},
    {"GET", "/api/admin/channels", Access::kAdmin, list_channels},
    {"GET", "/api/admin/channels/{id}", Access::kAdmin, view_channel},
    {"PATCH", "/api/admin/channels/{id}", Access::kAdmin, update_channel},
};

}  // namespace

std::span<const Endpoint> channel_endpoints() { return kEndpoints; }

}  // namespace belfry::http::admin
