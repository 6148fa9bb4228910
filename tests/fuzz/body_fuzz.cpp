#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "belfry/wire/json.hpp"

/// The first byte chooses the decoder, the rest is the body.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace belfry::wire;
  if (size == 0) return 0;
  const std::string_view body(reinterpret_cast<const char*>(data + 1), size - 1);
  switch (data[0] % 11) {
    case 0:
      (void)decode_create_channel(body);
      break;
    case 1:
      (void)decode_update_channel(body);
      break;
    case 2: {
      const auto post = decode_create_post(body);
      if (post && post->chart_payload_json &&
          !decode_create_post(R"({"type":"CHART","chartPayloadJson":)" + *post->chart_payload_json + "}")) {
        std::abort();
      }
      break;
    }
    case 3:
      (void)decode_update_post(body);
      break;
    case 4:
      (void)decode_put_discussion(body);
      break;
    case 5:
      (void)decode_create_message(body);
      break;
    case 6:
      (void)decode_edit_message(body);
      break;
    case 7:
      (void)decode_read_state(body);
      break;
    case 8:
      (void)decode_sanction(body);
      break;
    case 9:
      (void)decode_grant(body);
      break;
    default:
      (void)decode_empty(body);
      break;
  }
  return 0;
}
