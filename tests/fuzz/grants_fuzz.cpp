#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "belfry/auth/grant_service.hpp"
#include "belfry/telemetry/log.hpp"

namespace {

using namespace belfry;

class FixedClock final : public core::Clock {
 public:
  core::TimePoint now() const override { return core::TimePoint{std::chrono::seconds{1'800'000'000}}; }
};

}  // namespace

/// The body of an entitlement service's answer: each question is answered once, or none is.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const bool quiet = [] {
    telemetry::configure_logging(telemetry::LogLevel::kOff, telemetry::LogFormat::kJson);
    return true;
  }();
  static_cast<void>(quiet);
  const FixedClock clock;
  telemetry::Metrics metrics;
  const std::string body(reinterpret_cast<const char*>(data), size);
  auth::GrantService service(
      {.url = "http://provider.test/"},
      [&](const outbound::HttpCall&, auto done) { done(outbound::HttpAnswer{200, body}); }, clock, metrics);
  const core::UserId user{*core::Uuid::parse("019ce156-1647-75b9-a5ba-000000000001")};
  const std::vector<domain::GrantQuestion> questions{{user, domain::GrantKind::kEntitlement, "gold"},
                                                     {user, domain::GrantKind::kFeature, "talk"}};
  int answered = 0;
  service.ask(questions, true, [&](core::Result<domain::GrantProvider::Answers> answers) {
    ++answered;
    if (!answers) return;
    if (answers->size() != questions.size()) std::abort();
    for (const auto& [question, grant] : *answers) {
      if (grant && grant->valid_until && *grant->valid_until <= clock.now()) std::abort();
    }
  });
  if (answered != 1) std::abort();
  return 0;
}
