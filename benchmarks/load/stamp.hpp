#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace bench {

/// What a message's text begins with: which one it is, and when it was due. Fixed width, so that it is found and read
/// quickly.
struct Stamp {
  int message = 0;
  std::int64_t due_ns = 0;
};

std::string stamped_text(const Stamp& stamp, std::size_t padding);

/// Finds the stamp of an event; none in frames of other kinds. Remembers where it stood last.
class StampReader {
 public:
  std::optional<Stamp> read(std::string_view payload);

 private:
  std::size_t last_ = 0;
};

}  // namespace bench
