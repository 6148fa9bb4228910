#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include <nats/nats.h>

#include "nats_hints.hpp"
#include "nats_inbox.hpp"

namespace belfry::realtime {

template <auto Destroy>
struct NatsDestroy {
  template <class T>
  void operator()(T* handle) const {
    Destroy(handle);
  }
};
using NatsConnection = std::unique_ptr<natsConnection, NatsDestroy<natsConnection_Destroy>>;
using NatsSubscription = std::unique_ptr<natsSubscription, NatsDestroy<natsSubscription_Destroy>>;

/// `nats://` or `tls://`, with who logs in; and what `tls://` trusts.
struct NatsServer {
  std::string url;
  std::string ca_file;
  /// Host and port, without who logs in.
  std::string_view place() const;
};

/// One life of the way to one server: it never reconnects by itself, so that what is subscribed is always known. Two
/// connections: the first hears and tells, without echo of its own; the second sends heartbeats back. One thread; every
/// call is bounded.
class NatsLink {
 public:
  /// Null when the server does not answer; `error` then says why, without the address's password.
  static std::unique_ptr<NatsLink> open(const NatsServer& server, std::shared_ptr<const NatsHints> hints,
                                        NatsInbox& inbox, std::string& error);

  NatsLink(const NatsLink&) = delete;
  NatsLink& operator=(const NatsLink&) = delete;
  ~NatsLink();

  bool connected() const { return !natsConnection_IsClosed(main_.get()) && !natsConnection_IsClosed(probe_.get()); }
  bool subscribe(const domain::RoomKey& room);
  void unsubscribe(const domain::RoomKey& room) { rooms_.erase(room); }
  void publish(const std::string& subject, const std::string& text);
  /// What the server takes as one message.
  std::size_t max_payload() const;
  void beat();
  /// True when the server has taken in all that was asked before.
  bool flush(std::chrono::milliseconds patience);

 private:
  NatsLink(std::shared_ptr<const NatsHints> hints, NatsInbox& inbox) : hints_(std::move(hints)), inbox_(inbox) {}
  natsStatus connect(const NatsServer& server);

  std::shared_ptr<const NatsHints> hints_;
  NatsInbox& inbox_;
  std::string nonce_;
  NatsConnection main_;
  NatsConnection probe_;
  NatsSubscription beat_out_;
  NatsSubscription beat_back_;
  std::unordered_map<domain::RoomKey, NatsSubscription> rooms_;
};

}  // namespace belfry::realtime
