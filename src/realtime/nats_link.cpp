#include "nats_link.hpp"

#include <algorithm>
#include <random>
#include <utility>

#include <fmt/core.h>

namespace belfry::realtime {

namespace {

constexpr std::int64_t kConnectMs = 1000;
constexpr std::int64_t kWriteMs = 500;
constexpr std::chrono::milliseconds kFirstFlush{1000};

using NatsOptionsHandle = std::unique_ptr<natsOptions, NatsDestroy<natsOptions_Destroy>>;

struct Message {
  explicit Message(natsMsg* raw) : handle(raw) {}
  std::unique_ptr<natsMsg, NatsDestroy<natsMsg_Destroy>> handle;
  std::string_view subject() const { return natsMsg_GetSubject(handle.get()); }
  std::string_view data() const {
    return {natsMsg_GetData(handle.get()), static_cast<std::size_t>(natsMsg_GetDataLength(handle.get()))};
  }
};

// Called by the library: nothing may be thrown through it, and a hint that is lost is found by the sweep.
void on_room(natsConnection*, natsSubscription*, natsMsg* raw, void* inbox) noexcept {
  try {
    const Message message(raw);
    static_cast<NatsInbox*>(inbox)->arrived(message.subject(), message.data());
  } catch (const std::exception&) {
  }
}

void on_beat_out(natsConnection* probe, natsSubscription*, natsMsg* raw, void*) noexcept {
  const Message message(raw);
  const char* reply = natsMsg_GetReply(raw);
  if (reply == nullptr) return;
  natsConnection_Publish(probe, reply, natsMsg_GetData(raw), natsMsg_GetDataLength(raw));
}

void on_beat_back(natsConnection*, natsSubscription*, natsMsg* raw, void* inbox) noexcept {
  try {
    const Message message(raw);
    static_cast<NatsInbox*>(inbox)->echoed(message.data());
  } catch (const std::exception&) {
  }
}

void on_closed(natsConnection*, void* inbox) noexcept {
  try {
    static_cast<NatsInbox*>(inbox)->wake();
  } catch (const std::exception&) {
  }
}

/// The library's own handler writes to stderr.
void on_error(natsConnection*, natsSubscription*, natsStatus, void*) noexcept {}

/// The certificate must be for the host that we asked for.
bool secure(natsOptions* options, const NatsServer& server) {
  if (!server.url.starts_with("tls://")) return true;
  auto host = std::string(server.place().substr(0, server.place().rfind(':')));
  if (host.starts_with('[')) host = host.substr(1, host.size() - 2);
  if (natsOptions_SetSecure(options, true) != NATS_OK) return false;
  if (natsOptions_SetExpectedHostname(options, host.c_str()) != NATS_OK) return false;
  return server.ca_file.empty() || natsOptions_LoadCATrustedCertificates(options, server.ca_file.c_str()) == NATS_OK;
}

NatsOptionsHandle make_options(const NatsServer& server, NatsInbox& inbox) {
  natsOptions* raw = nullptr;
  if (natsOptions_Create(&raw) != NATS_OK) return nullptr;
  NatsOptionsHandle options(raw);
  const auto all_ok = [](auto... status) { return ((status == NATS_OK) && ...); };
  const bool set = all_ok(
      natsOptions_SetURL(raw, server.url.c_str()), natsOptions_SetName(raw, "belfry"), natsOptions_SetNoEcho(raw, true),
      natsOptions_SetAllowReconnect(raw, false), natsOptions_SetTimeout(raw, kConnectMs),
      natsOptions_SetWriteDeadline(raw, kWriteMs), natsOptions_UseGlobalMessageDelivery(raw, true),
      natsOptions_SetErrorHandler(raw, on_error, nullptr), natsOptions_SetClosedCB(raw, on_closed, &inbox));
  return set && secure(raw, server) ? std::move(options) : nullptr;
}

natsStatus connect_one(const NatsServer& server, NatsInbox& inbox, NatsConnection& connection) {
  const auto options = make_options(server, inbox);
  if (!options) return NATS_INVALID_ARG;
  natsConnection* raw = nullptr;
  const auto status = natsConnection_Connect(&raw, options.get());
  connection.reset(raw);
  return status;
}

natsStatus subscribe_one(natsConnection* connection, const std::string& subject, natsMsgHandler handler,
                         NatsInbox& inbox, NatsSubscription& subscription) {
  natsSubscription* raw = nullptr;
  const auto status = natsConnection_Subscribe(&raw, connection, subject.c_str(), handler, &inbox);
  subscription.reset(raw);
  return status;
}

std::string random_name() {
  std::random_device random;
  return fmt::format("{:08x}{:08x}", random(), random());
}

}  // namespace

std::string_view NatsServer::place() const {
  const std::string_view text(url);
  const auto at = text.rfind('@');
  return text.substr(at == std::string_view::npos ? text.find("//") + 2 : at + 1);
}

std::unique_ptr<NatsLink> NatsLink::open(const NatsServer& server, std::shared_ptr<const NatsHints> hints,
                                         NatsInbox& inbox, std::string& error) {
  std::unique_ptr<NatsLink> link(new NatsLink(std::move(hints), inbox));
  if (const auto status = link->connect(server); status != NATS_OK) {
    error = natsStatus_GetText(status);
    return nullptr;
  }
  return link;
}

NatsLink::~NatsLink() {
  // Before the subscriptions go: each of them would tell a server that may be frozen.
  if (main_) natsConnection_Close(main_.get());
  if (probe_) natsConnection_Close(probe_.get());
}

natsStatus NatsLink::connect(const NatsServer& server) {
  nonce_ = random_name();
  inbox_.expect(nonce_);
  auto status = connect_one(server, inbox_, main_);
  if (status == NATS_OK) status = connect_one(server, inbox_, probe_);
  if (status == NATS_OK) {
    status = subscribe_one(probe_.get(), hints_->beat_out(nonce_), on_beat_out, inbox_, beat_out_);
  }
  if (status == NATS_OK) {
    status = subscribe_one(main_.get(), hints_->beat_back(nonce_), on_beat_back, inbox_, beat_back_);
  }
  if (status == NATS_OK) status = natsConnection_FlushTimeout(probe_.get(), kFirstFlush.count());
  return status;
}

bool NatsLink::subscribe(const domain::RoomKey& room) {
  auto& subscription = rooms_[room];
  if (subscription) return true;
  if (subscribe_one(main_.get(), hints_->room(room), on_room, inbox_, subscription) == NATS_OK) return true;
  rooms_.erase(room);
  return false;
}

void NatsLink::publish(const std::string& subject, const std::string& text) {
  natsConnection_Publish(main_.get(), subject.c_str(), text.data(), static_cast<int>(text.size()));
}

std::size_t NatsLink::max_payload() const {
  return static_cast<std::size_t>(std::max<std::int64_t>(0, natsConnection_GetMaxPayload(main_.get())));
}

void NatsLink::beat() {
  natsConnection_PublishRequestString(main_.get(), hints_->beat_out(nonce_).c_str(), hints_->beat_back(nonce_).c_str(),
                                      nonce_.c_str());
}

bool NatsLink::flush(std::chrono::milliseconds patience) {
  return natsConnection_FlushTimeout(main_.get(), patience.count()) == NATS_OK;
}

}  // namespace belfry::realtime
