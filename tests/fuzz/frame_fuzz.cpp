#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "belfry/wire/frames.hpp"

/// A frame from the socket, then its command: refused or taken, and what was taken can be read again.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto frame = belfry::wire::decode_client_frame(text);
  if (!frame) return 0;
  (void)belfry::wire::decode_room_command(frame->event, frame->data);
  const std::string again =
      R"({"id":)" + frame->id.value_or("0") + R"(,"event":"ping","data":)" + belfry::wire::dump(frame->data) + "}";
  if (!belfry::wire::decode_client_frame(again)) std::abort();
  return 0;
}
