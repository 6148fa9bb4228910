#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <stdexcept>
#include <string_view>

#include "belfry/wire/events.hpp"

/// Payloads and answers as the database holds them; the first byte chooses. What cannot be read throws
/// std::runtime_error and nothing else, what can be read is written again as it was understood.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace belfry;
  using domain::EventType;
  static constexpr std::array kTypes{
      EventType::kPostCreated,    EventType::kPostUpdated,    EventType::kPostDeleted,     EventType::kPostPinned,
      EventType::kMessageCreated, EventType::kMessageUpdated, EventType::kMessageRestored, EventType::kControl,
      EventType::kAccessChanged,  static_cast<EventType>(77)};
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data + 1), size - 1);
  const std::size_t choice = data[0] % (kTypes.size() + 1);
  try {
    if (choice == kTypes.size()) {
      const auto answer = wire::encode_answer(wire::decode_answer(text));
      if (wire::encode_answer(wire::decode_answer(answer)) != answer) std::abort();
      return 0;
    }
    domain::Event event;
    event.type = kTypes.at(choice);
    event.payload = wire::decode_payload(event.type, domain::kPayloadSchema, text);
    const auto stored = wire::encode_payload(event.payload);
    if (wire::encode_payload(wire::decode_payload(event.type, domain::kPayloadSchema, stored)) != stored) std::abort();
    if (event.visible()) (void)wire::encode_envelope(event, "https://files.test");
    wire::mask_payload(event.type, event.payload);
    if (event.visible()) (void)wire::encode_envelope(event, "");
  } catch (const std::runtime_error&) {
  }
  return 0;
}
