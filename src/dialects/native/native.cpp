#include "belfry/dialects/native.hpp"

#include <utility>

#include "dialects/native/encoder.hpp"
#include "dialects/native/handshake.hpp"
#include "dialects/native/session.hpp"

namespace belfry::dialects {

namespace native {
namespace {

class NativeEntrance final : public Entrance {
 public:
  NativeEntrance(commands::Services& services, std::optional<auth::Identity> identity)
      : services_(services), identity_(std::move(identity)) {}
  std::unique_ptr<Session> open(FrameSink& sink) override {
    return std::make_unique<NativeSession>(services_, sink, std::move(identity_));
  }

 private:
  commands::Services& services_;
  std::optional<auth::Identity> identity_;
};

class NativeDialect final : public Dialect {
 public:
  NativeDialect(NativeOptions options, realtime::Hub& hub, domain::RoomReader& reader, domain::Database& database,
                auth::Authenticator& authenticator, runtime::Wheel& wheel, const core::Clock& clock,
                telemetry::Metrics& metrics)
      : encoder_(options.attachment_url_base),
        database_(database),
        services_{std::move(options), hub, reader, authenticator, wheel, clock, metrics, encoder_} {}
  std::string_view path() const override { return "/ws"; }

  void authorize(const Handshake& handshake, AuthorizeDone done) override {
    native::authorize(
        handshake, services_.authenticator, database_, services_.clock,
        [&services = services_, done = std::move(done)](core::Result<std::optional<auth::Identity>> identity) mutable {
          if (!identity) return done(core::fail(std::move(identity.error())));
          done(std::make_unique<NativeEntrance>(services, std::move(*identity)));
        });
  }

 private:
  Encoder encoder_;
  domain::Database& database_;
  commands::Services services_;
};

}  // namespace
}  // namespace native

std::unique_ptr<Dialect> make_native_dialect(NativeOptions options, realtime::Hub& hub, domain::RoomReader& reader,
                                             domain::Database& database, auth::Authenticator& authenticator,
                                             runtime::Wheel& wheel, const core::Clock& clock,
                                             telemetry::Metrics& metrics) {
  return std::make_unique<native::NativeDialect>(std::move(options), hub, reader, database, authenticator, wheel, clock,
                                                 metrics);
}

}  // namespace belfry::dialects
