#include "belfry/domain/moderation.hpp"

#include "belfry/wire/json.hpp"
#include "http/endpoints.hpp"

namespace belfry::http::admin {
namespace {

using domain::SanctionKind;

/// Job names and sentences of one kind of sanction.
struct Words {
  std::string_view set_job, lift_job, list_job;
  std::string_view set, lifted, listed;
};

constexpr Words words(SanctionKind kind) {
  if (kind == SanctionKind::kBan) {
    return {"bans.set",
            "bans.lift",
            "bans.list",
            "User banned from the discussion",
            "Ban lifted successfully",
            "Bans fetched successfully"};
  }
  return {"mutes.set",
          "mutes.lift",
          "mutes.list",
          "User muted in the discussion",
          "Mute lifted successfully",
          "Mutes fetched successfully"};
}

template <SanctionKind kKind>
void set_sanction(const ExchangePtr& exchange) {
  auto command = wire::decode_sanction(exchange->request().body);
  if (!command) return exchange->fail(command.error());
  command->kind = kKind;
  command->channel_id = {exchange->number("id")};
  command->user_id = exchange->user_id();
  run_job<domain::Sanction>(
      exchange, JobMode::kWrite, words(kKind).set_job, {words(kKind).set},
      [actor = exchange->actor(), command = std::move(*command)](UnitOfWork& work) {
        return domain::set_sanction(work, actor, command);
      },
      wire::encode_sanction);
}

template <SanctionKind kKind>
void lift_sanction(const ExchangePtr& exchange) {
  if (const auto empty = wire::decode_empty(exchange->request().body); !empty) return exchange->fail(empty.error());
  run_job(
      exchange, JobMode::kWrite, words(kKind).lift_job, {words(kKind).lifted},
      [actor = exchange->actor(), channel = core::ChannelId{exchange->number("id")}, user = exchange->user_id()](
          UnitOfWork& work) { return domain::lift_sanction(work, actor, kKind, channel, user); },
      R"({"userId":)" + wire::json_string(exchange->user_id().value.text()) + "}");
}

template <SanctionKind kKind>
void list_sanctions(const ExchangePtr& exchange) {
  run_job<std::vector<domain::Sanction>>(
      exchange, JobMode::kRead, words(kKind).list_job, {words(kKind).listed},
      [channel = core::ChannelId{exchange->number("id")}](UnitOfWork& work) {
        return domain::list_sanctions(work, kKind, channel);
      },
      wire::encode_sanction_list);
}

constexpr Endpoint kEndpoints[] = {
    {"GET", "/api/admin/channels/{id}/discussion/bans", Access::kAdmin, list_sanctions<SanctionKind::kBan>},
    {"PUT", "/api/admin/channels/{id}/discussion/bans/{userId}", Access::kAdmin, set_sanction<SanctionKind::kBan>},
    {"DELETE", "/api/admin/channels/{id}/discussion/bans/{userId}", Access::kAdmin, lift_sanction<SanctionKind::kBan>},
    {"GET", "/api/admin/channels/{id}/discussion/mutes", Access::kAdmin, list_sanctions<SanctionKind::kMute>},
    {"PUT", "/api/admin/channels/{id}/discussion/mutes/{userId}", Access::kAdmin, set_sanction<SanctionKind::kMute>},
    {"DELETE", "/api/admin/channels/{id}/discussion/mutes/{userId}", Access::kAdmin,
     lift_sanction<SanctionKind::kMute>},
};

}  // namespace

std::span<const Endpoint> moderation_endpoints() { return kEndpoints; }

}  // namespace belfry::http::admin
