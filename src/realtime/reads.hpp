#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "belfry/core/result.hpp"
#include "belfry/domain/database.hpp"
#include "belfry/domain/room_access.hpp"

namespace belfry::realtime {

/// What a sweep asks in one snapshot: which logs grew, and where these rooms' heads are.
struct ScanQuery {
  std::uint64_t from_xid = 0;
  std::vector<domain::RoomKey> rooms;
};

struct Scan {
  domain::JournalPage journal;
  std::vector<domain::RoomHead> heads;
};

/// Everything the hub reads, each answer from one snapshot that began after the call. `done` runs on the I/O thread,
/// never inside the call. The seam by which tests choose interleavings.
class Reads {
 public:
  template <class T>
  using Done = std::move_only_function<void(core::Result<T>)>;

  virtual ~Reads() = default;
  /// Where there is no room: what `actor` may know of that, access to the channel before the absence of its discussion.
  virtual void resolve(const domain::RoomTarget& target, const domain::Actor& actor, Done<domain::RoomKey> done) = 0;
  /// Answers parallel to the questions. `introduces`: the askers may be new here, and are written down first.
  virtual void decide(std::vector<domain::RoomQuestion> questions, bool introduces,
                      Done<std::vector<domain::RoomDecision>> done) = 0;
  virtual void page(domain::LogPageQuery query, Done<domain::LogPage> done) = 0;
  virtual void scan(ScanQuery query, Done<Scan> done) = 0;
};

/// The reads over database threads; the database must outlive it.
std::unique_ptr<Reads> make_database_reads(domain::Database& database);

}  // namespace belfry::realtime
