#pragma once

#include <cstdint>
#include <string_view>

namespace belfry::core {

/// What stands in a JSON text, in its order. Views live as long as the call. False from any of them ends the reading.
class JsonEvents {
 public:
  virtual bool null() = 0;
  virtual bool boolean(bool value) = 0;
  virtual bool integer(std::int64_t value) = 0;
  /// As it is written: a fraction, an exponent, or beyond 64 bits with a sign. A double can hold it, roughly.
  virtual bool number(std::string_view text) = 0;
  virtual bool string(std::string_view text) = 0;
  virtual bool key(std::string_view name) = 0;
  virtual bool begin_object() = 0;
  virtual bool end_object() = 0;
  virtual bool begin_array() = 0;
  virtual bool end_array() = 0;

 protected:
  ~JsonEvents() = default;
};

enum class JsonEnd : std::uint8_t {
  kRead,
  kMalformed,  ///< not one JSON value (RFC 8259) in UTF-8; told after the events in front of the fault
  kTooLarge,   ///< a number beyond a double
  kStopped,    ///< by an event's answer
};

/// Reads hostile text without recursion; how deep it may go is the events' to say.
JsonEnd read_json(std::string_view text, JsonEvents& events);

}  // namespace belfry::core
