#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "belfry/core/result.hpp"
#include "belfry/core/time.hpp"
#include "belfry/domain/database.hpp"
#include "belfry/outbound/http_client.hpp"
#include "belfry/telemetry/metrics.hpp"

namespace belfry::auth {

struct GrantServiceOptions {
  std::string url;
  std::chrono::milliseconds timeout{2000};
  std::chrono::milliseconds cache_for{10000};  ///< never past an answer's `validUntil`
  std::size_t max_cached = 200000;
  std::size_t max_users_per_call = 500;
  std::size_t max_keys_per_call = 500;
  /// Users × keys, as each is answered for each: some 400 bytes of an answer for every one of them.
  std::size_t max_pairs_per_call = 10000;
  int breaker_threshold = 5;
  std::chrono::milliseconds breaker_pause{2000};
};

/// The operator's entitlement service over HTTP: `POST {url}` with users and keys. Questions that come while a call is
/// on its way share the next one; what is too much for one call is asked in several and answered when all were, or
/// failed with the first that fails. Answers are strict: anything but a well-formed 200 is "cannot say". I/O thread
/// only.
class GrantService final : public domain::GrantProvider {
 public:
  using Send =
      std::function<void(outbound::HttpCall, std::move_only_function<void(core::Result<outbound::HttpAnswer>)>)>;

  GrantService(GrantServiceOptions options, Send send, const core::Clock& clock, telemetry::Metrics& metrics);
  ~GrantService() override;

  void ask(std::vector<domain::GrantQuestion> questions, bool fresh,
           std::move_only_function<void(core::Result<Answers>)> done) override;
  /// What is remembered of this user is not believed any longer.
  void forget(core::UserId user);

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace belfry::auth
