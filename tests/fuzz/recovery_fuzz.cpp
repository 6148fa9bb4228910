// Hostile text as an offset and as a private id: nobody without the key makes one. Signed by it, hostile content is
// refused, or is the one spelling of what it says.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "belfry/core/base64.hpp"
#include "dialects/socketio/recovery.hpp"

using namespace belfry;
using namespace belfry::dialects::socketio;

namespace {

constexpr std::string_view kKey = "0123456789abcdef0123456789abcdef";

std::string sealed(std::string_view purpose, std::string_view content) {
  const auto mac = core::hmac_sha256(kKey, std::string(purpose) + '\0' + std::string(content));
  return core::encode_base64url(std::string(content) + mac.substr(0, 16));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static RecoveryCodec codec(kKey);
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (codec.decode_offset(text) || codec.decode_pid(text)) std::abort();
  const auto offset = sealed("offset", text);
  if (const auto positions = codec.decode_offset(offset)) {
    if (positions->size() > kMaxOffsetRooms || codec.encode_offset(*positions) != offset) std::abort();
  }
  const auto pid = sealed("pid", text);
  if (const auto id = codec.decode_pid(pid); id && codec.encode_pid(*id) != pid) std::abort();
  return 0;
}
