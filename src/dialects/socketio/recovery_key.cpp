#include "dialects/socketio/recovery_key.hpp"

#include <string>
#include <utility>

#include "belfry/auth/authenticator.hpp"
#include "belfry/telemetry/log.hpp"

namespace belfry::dialects::socketio {
namespace {

constexpr std::string_view kPurpose = "recovery";

}  // namespace

void RecoveryKey::want(Done done) {
  if (codec_) return done({});
  waiting_.push_back(std::move(done));
  if (waiting_.size() == 1) read();
}

void RecoveryKey::read() {
  domain::JobOptions options;
  options.name = "keys.recovery";
  database_.run<std::string>(
      domain::JobMode::kStatement, std::move(options),
      [](domain::UnitOfWork& work) -> core::Result<std::string> { return work.node_key(kPurpose).value_or(""); },
      [this, alive = std::weak_ptr(alive_)](core::Result<std::string> key) {
        if (alive.lock()) on_read(std::move(key));
      });
}

void RecoveryKey::on_read(core::Result<std::string> key) {
  auto waiting = std::exchange(waiting_, {});
  if (key) {
    // Deleted by hand: nobody is recovered who was elsewhere before, and everything else goes on.
    if (key->empty()) telemetry::warn("recovery_key_missing");
    codec_.emplace(key->empty() ? auth::make_secret() : *key);
  }
  for (auto& done : waiting) {
    if (key) {
      done({});
    } else {
      done(core::fail(key.error()));
    }
  }
}

}  // namespace belfry::dialects::socketio
