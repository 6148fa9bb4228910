#pragma once

#include <chrono>
#include <functional>

#include "belfry/domain/log.hpp"
#include "storage/session.hpp"

namespace belfry::storage {

/// Reads of the log. What is older than `retention` is cut at read, whatever partitions still hold.
class PgLog final : public domain::LogRepository {
 public:
  /// `now` is the transaction's clock.
  PgLog(Session& session, std::chrono::milliseconds retention, std::function<core::TimePoint()> now)
      : session_(session), retention_(retention), now_(std::move(now)) {}

  std::optional<domain::RoomHead> head(const domain::RoomKey& room) override;
  std::vector<domain::RoomHead> heads(std::span<const domain::RoomKey> rooms) override;
  domain::HeadsNow heads_now(std::span<const domain::RoomKey> rooms) override;
  domain::LogPage page(const domain::LogPageQuery& query) override;
  domain::JournalPage journal_since(std::uint64_t from_xid) override;

 private:
  void read_events(const domain::LogPageQuery& query, const core::Uuid& floor, domain::LogPage& page);

  Session& session_;
  std::chrono::milliseconds retention_;
  std::function<core::TimePoint()> now_;
};

}  // namespace belfry::storage
