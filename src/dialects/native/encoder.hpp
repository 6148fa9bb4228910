#pragma once

#include <string>
#include <string_view>

#include "belfry/realtime/subscriber.hpp"

namespace belfry::dialects::native {

/// An event as `{"event","room","prevEventId","data"}`.
class Encoder final : public realtime::Encoder {
 public:
  explicit Encoder(std::string attachment_url_base) : attachment_url_base_(std::move(attachment_url_base)) {}
  realtime::SharedFrame encode(const domain::Event& event) const override;
  telemetry::EventDialect dialect() const override { return telemetry::EventDialect::kNative; }

 private:
  std::string attachment_url_base_;
};

}  // namespace belfry::dialects::native
