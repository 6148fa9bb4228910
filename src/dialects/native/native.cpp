#include "belfry/dialects/native.hpp"

#include <utility>

#include "dialects/native/handshake.hpp"
#include "dialects/native/session.hpp"

namespace belfry::dialects {

namespace native {
namespace {

class NativeSession final : public Session {
 public:
  explicit NativeSession(std::shared_ptr<Conversation> conversation) : conversation_(std::move(conversation)) {}
  void on_text(std::string_view text, std::move_only_function<void()> done) override {
    hold()->on_text(text, std::move(done));
  }
  void on_writable() override { hold()->on_writable(); }
  void on_draining(std::chrono::milliseconds reconnect_in) override { hold()->on_draining(reconnect_in); }
  void on_closed() override { hold()->on_closed(); }

 private:
  /// A `done` inside the call may destroy this session.
  std::shared_ptr<Conversation> hold() const { return conversation_; }
  std::shared_ptr<Conversation> conversation_;
};

class NativeDialect final : public Dialect {
 public:
  explicit NativeDialect(Services services) : services_(std::move(services)) {}
  std::string_view path() const override { return "/ws"; }

  void authorize(const Handshake& handshake,
                 std::move_only_function<void(core::Result<std::optional<auth::Identity>>)> done) override {
    native::authorize(handshake, services_.authenticator, services_.database, services_.clock, std::move(done));
  }

  std::unique_ptr<Session> open(FrameSink& sink, std::optional<auth::Identity> identity) override {
    auto conversation = std::make_shared<Conversation>(services_, sink);
    conversation->open(std::move(identity));
    return std::make_unique<NativeSession>(std::move(conversation));
  }

 private:
  Services services_;
};

}  // namespace
}  // namespace native

std::unique_ptr<Dialect> make_native_dialect(NativeOptions options, realtime::Hub& hub, domain::RoomReader& reader,
                                             domain::Database& database, auth::Authenticator& authenticator,
                                             runtime::Wheel& wheel, const core::Clock& clock,
                                             telemetry::Metrics& metrics) {
  native::Encoder encoder(options.attachment_url_base);
  return std::make_unique<native::NativeDialect>(native::Services{
      std::move(options), hub, reader, database, authenticator, wheel, clock, metrics, std::move(encoder)});
}

}  // namespace belfry::dialects
