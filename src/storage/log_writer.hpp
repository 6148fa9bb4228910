#pragma once

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "belfry/core/result.hpp"
#include "belfry/domain/log.hpp"
#include "storage/failure.hpp"
#include "storage/held_rooms.hpp"
#include "storage/session.hpp"

namespace belfry::storage {

/// Appends to the logs of the rooms that one transaction holds. Places are given in memory, under the rooms' locks;
/// everything is written by one statement at the end.
class LogWriter {
 public:
  LogWriter(Session& session, HeldRooms* held_rooms) : session_(session), held_rooms_(held_rooms) {}

  /// Locks the rooms and reads their heads, then, in a later statement, the access log's head and the clock. Does not
  /// wait for a room that is known to be held by somebody who keeps it.
  core::Result<void> lock(std::span<const domain::RoomKey> rooms);
  void adopt(const domain::RoomKey& room);
  core::EventId append(const domain::RoomKey& room, domain::EventDraft draft);
  std::int64_t next_seq(const domain::RoomKey& room) const;

  /// Database clock under the lock; empty before `lock` or `adopt`.
  std::optional<core::TimePoint> locked_at() const { return locked_at_; }
  bool empty() const { return events_.empty(); }

  /// Writes events, heads and the journal row. Answers with what is needed to find out whether the transaction
  /// committed.
  CommitInDoubt flush();
  /// What was appended, per room. To be told after COMMIT.
  std::shared_ptr<domain::CommitNotice> notice() const;

 private:
  pqxx::result lock_rows();
  void read_access_head();
  domain::RoomHead& held(const domain::RoomKey& room);

  Session& session_;
  HeldRooms* held_rooms_;
  std::vector<domain::RoomKey> asked_;
  std::map<domain::RoomKey, domain::RoomHead> heads_;
  std::int64_t access_seq_ = 0;
  std::optional<core::TimePoint> locked_at_;
  domain::Timeline timeline_ = 0;
  std::vector<std::pair<std::int64_t, domain::SharedEvent>> events_;  ///< with their room's id
  std::vector<std::vector<domain::MessageId>> embeds_;
};

}  // namespace belfry::storage
