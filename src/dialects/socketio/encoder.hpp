#pragma once

#include <string>
#include <utility>

#include "belfry/realtime/subscriber.hpp"
#include "dialects/socketio/recovery_key.hpp"

namespace belfry::dialects::socketio {

/// An event as a Socket.IO packet, whose tail is right for sockets that are in this one room. Only sockets that have
/// the key are in rooms.
class Encoder final : public realtime::Encoder {
 public:
  Encoder(std::string attachment_url_base, RecoveryKey& key)
      : attachment_url_base_(std::move(attachment_url_base)), key_(key) {}
  realtime::SharedFrame encode(const domain::Event& event) const override;
  telemetry::EventDialect dialect() const override { return telemetry::EventDialect::kSocketIo; }

 private:
  std::string attachment_url_base_;
  RecoveryKey& key_;
};

}  // namespace belfry::dialects::socketio
