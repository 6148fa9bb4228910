#pragma once

#include <chrono>
#include <string>
#include <string_view>

namespace belfry::net {

/// The `Date` of answers (RFC 9110, 6.6.1), written once a second. One thread only.
class HttpDate {
 public:
  /// `Sun, 06 Nov 1994 08:49:37 GMT`, whatever the locale. The text holds until the next call.
  std::string_view at(std::chrono::sys_seconds time);
  std::string_view now();

 private:
  std::chrono::sys_seconds time_;  ///< of `text_`, unless that is empty
  std::string text_;
};

}  // namespace belfry::net
