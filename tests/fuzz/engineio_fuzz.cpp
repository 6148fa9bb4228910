// Hostile bytes as one Engine.IO packet and as a polling request's body: refused, or read and written to the same
// bytes.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "dialects/socketio/engine_packet.hpp"

using namespace belfry::dialects::socketio;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto packet = decode_text(text); packet && encode_text(*packet) != text) std::abort();
  const auto packets = decode_payload(text);
  if (!packets) return 0;
  std::string again;
  for (const auto& packet : *packets) append_to_payload(again, packet);
  if (again != text) std::abort();
  return 0;
}
