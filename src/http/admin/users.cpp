#include "belfry/domain/subjects.hpp"
#include "belfry/wire/json.hpp"
#include "http/endpoints.hpp"

namespace belfry::http::admin {
namespace {

using domain::GrantKind;

void view_user(const ExchangePtr& exchange) {
  run_job<domain::UserReport>(
      exchange, JobMode::kRead, "users.view", {"User fetched successfully"},
      [user = exchange->user_id()](UnitOfWork& work) { return domain::report_user(work, user); },
      wire::encode_user_report);
}

template <GrantKind kKind>
void set_grant(const ExchangePtr& exchange) {
  auto grant = wire::decode_grant(exchange->request().body);
  if (!grant) return exchange->fail(grant.error());
  grant->kind = kKind;
  grant->key = exchange->text("key");
  constexpr bool kEntitlement = kKind == GrantKind::kEntitlement;
  run_job<domain::Grant>(
      exchange, JobMode::kWrite, kEntitlement ? "entitlements.set" : "features.set",
      {kEntitlement ? "Entitlement granted successfully" : "Feature granted successfully"},
      [actor = exchange->actor(), user = exchange->user_id(), grant = std::move(*grant)](UnitOfWork& work) {
        return domain::set_grant(work, actor, user, grant);
      },
      wire::encode_grant);
}

template <GrantKind kKind>
void revoke_grant(const ExchangePtr& exchange) {
  if (const auto empty = wire::decode_empty(exchange->request().body); !empty) return exchange->fail(empty.error());
  constexpr bool kEntitlement = kKind == GrantKind::kEntitlement;
  run_job(
      exchange, JobMode::kWrite, kEntitlement ? "entitlements.revoke" : "features.revoke",
      {kEntitlement ? "Entitlement revoked successfully" : "Feature revoked successfully"},
      [actor = exchange->actor(), user = exchange->user_id(), key = exchange->text("key")](UnitOfWork& work) {
        return domain::revoke_grant(work, actor, user, kKind, key);
      },
      R"({"key":)" + wire::json_string(exchange->text("key")) + "}");
}

void record_change(const ExchangePtr& exchange) {
  run_job(
      exchange, JobMode::kWrite, "users.access_changed", {"Access checked again successfully"},
      [actor = exchange->actor(), user = exchange->user_id()](UnitOfWork& work) {
        return domain::record_access_changed(work, actor, user);
      },
      R"({"userId":)" + wire::json_string(exchange->user_id().value.text()) + "}");
}

/// The provider's fresh answers are in its cache before any node decides this user again.
void ask_provider(const ExchangePtr& exchange, const std::vector<std::string>& keys) {
  std::vector<domain::GrantQuestion> questions;
  questions.reserve(keys.size());
  for (const auto& key : keys) questions.push_back({exchange->user_id(), GrantKind::kEntitlement, key});
  exchange->parts().grant_provider->ask(std::move(questions), true,
                                        [exchange](Result<domain::GrantProvider::Answers> answers) {
                                          guarded(exchange, [&] {
                                            if (!answers) return exchange->fail(answers.error());
                                            record_change(exchange);
                                          });
                                        });
}

void access_changed(const ExchangePtr& exchange) {
  if (const auto empty = wire::decode_empty(exchange->request().body); !empty) return exchange->fail(empty.error());
  if (exchange->parts().grant_provider == nullptr) return record_change(exchange);
  exchange->parts().database.run<std::vector<std::string>>(
      JobMode::kRead, exchange->job("users.gated_keys"),
      [](UnitOfWork& work) -> Result<std::vector<std::string>> { return work.channels().gated_keys(); },
      [exchange](Result<std::vector<std::string>> keys) {
        guarded(exchange, [&] {
          if (!keys) return exchange->fail(keys.error());
          if (keys->empty()) return record_change(exchange);
          ask_provider(exchange, *keys);
        });
      });
}

constexpr Endpoint kEndpoints[] = {
    {"GET", "/api/admin/users/{userId}", Access::kAdmin, view_user},
    {"PUT", "/api/admin/users/{userId}/entitlements/{key}", Access::kAdmin, set_grant<GrantKind::kEntitlement>},
    {"DELETE", "/api/admin/users/{userId}/entitlements/{key}", Access::kAdmin, revoke_grant<GrantKind::kEntitlement>},
    {"PUT", "/api/admin/users/{userId}/features/{key}", Access::kAdmin, set_grant<GrantKind::kFeature>},
    {"DELETE", "/api/admin/users/{userId}/features/{key}", Access::kAdmin, revoke_grant<GrantKind::kFeature>},
    {"POST", "/api/admin/users/{userId}/access-changed", Access::kAdmin, access_changed},
};

}  // namespace

std::span<const Endpoint> user_endpoints() { return kEndpoints; }

}  // namespace belfry::http::admin
