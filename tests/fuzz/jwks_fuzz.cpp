#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "auth/keys.hpp"

/// A key set of somebody else's server: what is read of it can verify, and no signature of ours is taken.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace belfry::auth;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto keys = parse_jwks(text);
  if (!keys) return 0;
  for (const PublicKey& key : *keys) {
    if (key.algorithm() == Algorithm::kHs256) std::abort();
    (void)key.verify("message", text.substr(0, 64));
    if (key.verify("message", "")) std::abort();
  }
  return 0;
}
