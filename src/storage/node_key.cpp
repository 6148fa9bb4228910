#include "storage/unit_of_work.hpp"
#include "storage/values.hpp"

namespace belfry::storage {

std::optional<std::string> PgUnitOfWork::node_key(std::string_view purpose) {
  static constexpr Statement kFind{"node_key", "SELECT encode(key, 'hex') FROM keys WHERE purpose = $1::text"};
  const auto rows = session_.run(kFind, std::string(purpose));
  if (rows.empty()) return std::nullopt;
  return from_hex(rows.front()[0].as<std::string>());
}

}  // namespace belfry::storage
