// Hostile bytes as HTTP requests: no crash, and the same requests however the bytes are cut.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include "net/gzip.hpp"
#include "net/request_reader.hpp"

namespace {

using belfry::net::Limits;
using belfry::net::RequestReader;
using State = RequestReader::State;

std::string transcript(std::string_view bytes, std::size_t step) {
  Limits limits;
  limits.max_request_line_bytes = 200;
  limits.max_header_bytes = 500;
  limits.max_body_bytes = 300;
  RequestReader reader{limits};
  std::string out;
  while (true) {
    auto state = reader.parse();
    while (state != State::kComplete && state != State::kRefused && !bytes.empty()) {
      const auto space = reader.prepare();
      const auto size = std::min({step, space.size(), bytes.size()});
      std::memcpy(space.data(), bytes.data(), size);
      reader.commit(size);
      bytes.remove_prefix(size);
      state = reader.parse();
    }
    if (state != State::kComplete) return out;
    const auto request = reader.take().request;
    out += request.method + "|" + request.path + "|" + request.query + "|" + request.body + "|";
    for (const auto& [name, value] : request.headers) out += name + "=" + value + ";";
    if (const auto value = request.header("accept-encoding")) belfry::net::accepts_gzip(*value);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto whole = transcript(bytes, size + 1);
  if (transcript(bytes, 1) != whole || transcript(bytes, 7) != whole) std::abort();
  return 0;
}
