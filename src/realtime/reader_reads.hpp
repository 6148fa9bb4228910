#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "belfry/domain/database.hpp"
#include "belfry/domain/room_reader.hpp"
#include "moment.hpp"

namespace belfry::realtime {

/// The barrier's answer. Rooms that do not exist are left out.
struct Heads {
  std::vector<domain::RoomHead> rooms;
  std::int64_t access_seq = 0;
  core::TimePoint now{};
  domain::Timeline timeline = 0;
};

struct LoadedPage {
  domain::RoomReader::Bytes bytes;
  Moment at;
};

/// A stretch of a log with its control records, as of `at`.
struct Replay {
  domain::LogPage page;
  Moment at;
};

/// Everything the cached reads ask of the database, each answer from one snapshot that began after the call. `done`
/// runs on the I/O thread, never inside the call.
class ReaderReads {
 public:
  template <class T>
  using Done = std::move_only_function<void(core::Result<T>)>;

  virtual ~ReaderReads() = default;
  virtual void heads(std::vector<domain::RoomKey> rooms, Done<Heads> done) = 0;
  virtual void resolve(const domain::RoomTarget& target, Done<domain::RoomKey> done) = 0;
  /// Of pages: an anonymous actor may read what is open. Answers parallel to the questions; what rests on a grant that
  /// somebody else keeps is not asked for, so that nobody waits for an answer that must not be remembered.
  virtual void decide(std::vector<domain::RoomQuestion> questions, Done<std::vector<domain::RoomDecision>> done) = 0;
  virtual void page(const domain::RoomKey& room, domain::RoomReader::Load load, Done<LoadedPage> done) = 0;
  /// The page alone, in one statement: nobody knows of which moment it is, but that it is one after the call.
  virtual void content(const domain::RoomKey& room, domain::RoomReader::Load load, Done<std::string> done) = 0;
  virtual void replay(const domain::RoomKey& room, std::optional<core::EventId> since, Done<Replay> done) = 0;
  /// Decides and reads at once, for one actor.
  virtual void sync(const domain::Actor& actor, const domain::SyncRoom& command, Done<domain::SyncedRoom> done) = 0;
};

std::unique_ptr<ReaderReads> make_database_reader_reads(domain::Database& database);

}  // namespace belfry::realtime
