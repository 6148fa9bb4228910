#include "nats_link.hpp"

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
    if (const auto hint = parse_nats_hint(message.subject(), message.data())) {
      static_cast<NatsInbox*>(inbox)->grew(*hint);
    }
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

NatsOptionsHandle make_options(const std::string& server, NatsInbox& inbox) {
  natsOptions* raw = nullptr;
  if (natsOptions_Create(&raw) != NATS_OK) return nullptr;
  NatsOptionsHandle options(raw);
  const auto all_ok = [](auto... status) { return ((status == NATS_OK) && ...); };
  const bool set = all_ok(
      natsOptions_SetURL(raw, server.c_str()), natsOptions_SetName(raw, "belfry"), natsOptions_SetNoEcho(raw, true),
      natsOptions_SetAllowReconnect(raw, false), natsOptions_SetTimeout(raw, kConnectMs),
      natsOptions_SetWriteDeadline(raw, kWriteMs), natsOptions_UseGlobalMessageDelivery(raw, true),
      natsOptions_SetErrorHandler(raw, on_error, nullptr), natsOptions_SetClosedCB(raw, on_closed, &inbox));
  return set ? std::move(options) : nullptr;
}

natsStatus connect_one(const std::string& server, NatsInbox& inbox, NatsConnection& connection) {
  const auto options = make_options(server, inbox);
  if (!options) return NATS_NO_MEMORY;
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

std::unique_ptr<NatsLink> NatsLink::open(const std::string& server, NatsSubjects subjects, NatsInbox& inbox,
                                         std::string& error) {
  std::unique_ptr<NatsLink> link(new NatsLink(std::move(subjects), inbox));
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

natsStatus NatsLink::connect(const std::string& server) {
  nonce_ = random_name();
  inbox_.expect(nonce_);
  auto status = connect_one(server, inbox_, main_);
  if (status == NATS_OK) status = connect_one(server, inbox_, probe_);
  if (status == NATS_OK) {
    status = subscribe_one(probe_.get(), subjects_.beat_out(nonce_), on_beat_out, inbox_, beat_out_);
  }
  if (status == NATS_OK) {
    status = subscribe_one(main_.get(), subjects_.beat_back(nonce_), on_beat_back, inbox_, beat_back_);
  }
  if (status == NATS_OK) status = natsConnection_FlushTimeout(probe_.get(), kFirstFlush.count());
  return status;
}

bool NatsLink::subscribe(const domain::RoomKey& room) {
  auto& subscription = rooms_[room];
  if (subscription) return true;
  if (subscribe_one(main_.get(), subjects_.room(room), on_room, inbox_, subscription) == NATS_OK) return true;
  rooms_.erase(room);
  return false;
}

void NatsLink::publish(const domain::LogHint& hint) {
  natsConnection_PublishString(main_.get(), subjects_.room(hint.room).c_str(), std::to_string(hint.last_seq).c_str());
}

void NatsLink::beat() {
  natsConnection_PublishRequestString(main_.get(), subjects_.beat_out(nonce_).c_str(),
                                      subjects_.beat_back(nonce_).c_str(), nonce_.c_str());
}

bool NatsLink::flush(std::chrono::milliseconds patience) {
  return natsConnection_FlushTimeout(main_.get(), patience.count()) == NATS_OK;
}

}  // namespace belfry::realtime
