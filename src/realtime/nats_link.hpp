#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <unordered_map>

#include <nats/nats.h>

#include "nats_inbox.hpp"
#include "nats_subjects.hpp"

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

/// One life of the way to one server: it never reconnects by itself, so that what is subscribed is always known. Two
/// connections: the first hears and tells, without echo of its own; the second sends heartbeats back. One thread; every
/// call is bounded.
class NatsLink {
 public:
  /// Null when the server does not answer; `error` then says why, without the address's password.
  static std::unique_ptr<NatsLink> open(const std::string& server, NatsSubjects subjects, NatsInbox& inbox,
                                        std::string& error);

  NatsLink(const NatsLink&) = delete;
  NatsLink& operator=(const NatsLink&) = delete;
  ~NatsLink();

  bool connected() const { return !natsConnection_IsClosed(main_.get()) && !natsConnection_IsClosed(probe_.get()); }
  bool subscribe(const domain::RoomKey& room);
  void unsubscribe(const domain::RoomKey& room) { rooms_.erase(room); }
  void publish(const domain::LogHint& hint);
  void beat();
  /// True when the server has taken in all that was asked before.
  bool flush(std::chrono::milliseconds patience);

 private:
  NatsLink(NatsSubjects subjects, NatsInbox& inbox) : subjects_(std::move(subjects)), inbox_(inbox) {}
  natsStatus connect(const std::string& server);

  NatsSubjects subjects_;
  NatsInbox& inbox_;
  std::string nonce_;
  NatsConnection main_;
  NatsConnection probe_;
  NatsSubscription beat_out_;
  NatsSubscription beat_back_;
  std::unordered_map<domain::RoomKey, NatsSubscription> rooms_;
};

}  // namespace belfry::realtime
