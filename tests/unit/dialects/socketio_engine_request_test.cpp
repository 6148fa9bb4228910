#include "dialects/socketio/engine_request.hpp"

#include <gtest/gtest.h>

namespace belfry::dialects::socketio {
namespace {

using enum EngineTransport;

TEST(EngineQuery, SaysTransportAndSession) {
  const std::pair<std::string, EngineRequest> cases[] = {
      {"EIO=4&transport=polling", {kPolling, ""}},
      {"EIO=4&transport=websocket", {kWebSocket, ""}},
      {"transport=polling&EIO=4&t=Pk3&sid=AZaz09-_", {kPolling, "AZaz09-_"}},
      {"&EIO=4&&transport=websocket&sid=&b64=1&", {kWebSocket, ""}},
      {"EIO=4&transport=polling&sid=" + std::string(64, 's'), {kPolling, std::string(64, 's')}},
      {"token=1&token=2&EIO=4&transport=polling&EIOx=3&xsid=7", {kPolling, ""}},
  };
  for (const auto& [query, request] : cases) EXPECT_EQ(decode_engine_query(query), request) << query;
}

TEST(EngineQuery, RefusalIsTheProtocols) {
  using enum EngineError;
  const std::pair<std::string, EngineError> cases[] = {
      {"", kUnknownTransport},
      {"EIO=4", kUnknownTransport},
      {"EIO=4&transport", kUnknownTransport},
      {"EIO=4&transport=", kUnknownTransport},
      {"EIO=4&transport=abc", kUnknownTransport},
      {"EIO=4&transport=webtransport", kUnknownTransport},
      {"transport=polling", kUnsupportedVersion},
      {"EIO&transport=polling", kUnsupportedVersion},
      {"EIO=3&transport=polling", kUnsupportedVersion},
      {"EIO=abc&transport=polling", kUnsupportedVersion},
      {"EIO=04&transport=polling", kUnsupportedVersion},
      {"EIO=4&EIO=4&transport=polling", kBadRequest},
      {"EIO=4&transport=polling&transport=websocket", kBadRequest},
      {"EIO=4&transport=polling&sid=a&sid=b", kBadRequest},
      {"EIO=4&transport=polling&sid=&sid=b", kBadRequest},
      {"EIO=4&transport=polling&sid=a%20b", kUnknownSid},
      {"EIO=4&transport=polling&sid=a=b", kUnknownSid},
      {"EIO=4&transport=polling&sid=../x", kUnknownSid},
      {"EIO=4&transport=polling&sid=" + std::string(65, 's'), kUnknownSid},
  };
  for (const auto& [query, error] : cases) {
    const auto request = decode_engine_query(query);
    ASSERT_FALSE(request) << query;
    EXPECT_EQ(request.error(), error) << query;
  }
}

TEST(EngineError, BodySaysTheNumber) {
  for (int code = 0; code <= 5; ++code) {
    const auto body = engine_error_body(static_cast<EngineError>(code));
    EXPECT_TRUE(body.starts_with("{\"code\":" + std::to_string(code) + ",\"message\":\"")) << body;
  }
}

}  // namespace
}  // namespace belfry::dialects::socketio
