#include "ws_handshake.hpp"

#include <array>
#include <stdexcept>

#include <openssl/evp.h>

#include "response.hpp"

namespace belfry::net {
namespace {

/// RFC 6455, 1.3.
constexpr std::string_view kProtocolId = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
constexpr std::size_t kSha1Bytes = 20;

std::string accept_key(std::string_view key) {
  const auto text = std::string(key).append(kProtocolId);
  std::array<unsigned char, kSha1Bytes> digest{};
  if (EVP_Digest(text.data(), text.size(), digest.data(), nullptr, EVP_sha1(), nullptr) != 1) {
    throw std::runtime_error("SHA-1 is not available");
  }
  std::array<unsigned char, (kSha1Bytes + 2) / 3 * 4 + 1> base64{};
  const int size = EVP_EncodeBlock(base64.data(), digest.data(), kSha1Bytes);
  return {base64.data(), base64.data() + size};
}

}  // namespace

std::string accept_upgrade(std::string_view key, std::string_view date) {
  http::Response response;
  response.status = 101;
  response.headers = {{"Sec-WebSocket-Accept", accept_key(key)}};
  return encode_response(std::move(response), {.upgrade = true}, date).head;
}

}  // namespace belfry::net
