#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "belfry/core/result.hpp"
#include "belfry/domain/database.hpp"
#include "dialects/socketio/recovery.hpp"

namespace belfry::dialects::socketio {

/// This shard's codec, under the key that all nodes of the database share: read once, when it is first needed. I/O
/// thread only.
class RecoveryKey {
 public:
  using Done = std::move_only_function<void(core::Result<void>)>;

  explicit RecoveryKey(domain::Database& database) : database_(database) {}
  RecoveryKey(const RecoveryKey&) = delete;
  RecoveryKey& operator=(const RecoveryKey&) = delete;
  ~RecoveryKey() = default;

  /// `done`, maybe inside the call, once `codec` may be used; kUnavailable while the database cannot be asked.
  void want(Done done);
  RecoveryCodec& codec() { return *codec_; }

 private:
  void read();
  void on_read(core::Result<std::string> key);

  domain::Database& database_;
  std::optional<RecoveryCodec> codec_;
  std::vector<Done> waiting_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace belfry::dialects::socketio
