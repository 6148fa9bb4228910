#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "belfry/domain/database.hpp"
#include "belfry/domain/room_reader.hpp"
#include "belfry/realtime/hub.hpp"
#include "belfry/runtime/wheel.hpp"
#include "dialects/socketio/recovery.hpp"

namespace belfry::dialects::socketio {

/// Missed events: beyond, the client starts anew.
inline constexpr std::int32_t kMaxReplayInRoom = 500;
inline constexpr std::size_t kMaxReplay = 1000;
inline constexpr std::size_t kMaxReplayBytes = std::size_t{1} << 20;

/// A room whose stream goes on where the client was.
struct ResumedRoom {
  realtime::Joined joined;
  std::vector<domain::SharedEvent> missed;  ///< oldest first, up to `joined.last_event_id`
};

/// A room that the client has lost meanwhile.
struct LostRoom {
  domain::RoomTarget target;
  std::optional<domain::RoomKey> room;  ///< absent: there is no such room any more
  core::Reason reason = core::Reason::kChannelUnavailable;
};

struct Resumed {
  std::vector<ResumedRoom> rooms;  ///< ascending by target
  std::vector<LostRoom> lost;
};

/// Joins the rooms that a client was in, reads what it missed, one room after another, and proves that this is all:
/// docs/adr/0011. The subscriber is not writable meanwhile, so that what comes behind the join's position waits in the
/// log. What cannot be decided or read at the moment (a node that has just begun, a database that fails over) is tried
/// again for a while. I/O thread only.
class Resumption : public std::enable_shared_from_this<Resumption> {
 public:
  /// Nothing: it cannot be proved. Once, maybe inside `start`; never after this object is gone.
  using Done = std::move_only_function<void(std::optional<Resumed>)>;

  struct Parts {
    realtime::Hub& hub;
    domain::RoomReader& reader;
    domain::Database& database;
    runtime::Wheel& wheel;
  };
  Resumption(const Parts& parts, realtime::Subscriber& subscriber, const Positions& positions, Done done);
  void start();
  /// Something happened that no proof allows for.
  void fail();
  bool over() const { return !done_; }
  /// Something of it threw, which is no proof.
  void broke(std::string_view what);

 private:
  struct Room {
    RoomPosition from;
    std::optional<realtime::Joined> joined;
    std::vector<domain::SharedEvent> missed;
    std::optional<LostRoom> lost;
  };

  void join(std::size_t at);
  void on_joined(std::size_t at, core::Result<realtime::Joined> joined);
  void joined_one();
  void read(std::size_t at);
  void on_read(std::size_t at, core::Result<domain::SyncedRoom> synced);
  void lose(std::size_t at, const core::Error& error, std::function<void()> then);
  void name_lost_room(std::size_t at, std::function<void()> then);
  void try_again(std::size_t at, std::function<void()> step);
  void finish();

  Parts parts_;
  realtime::Subscriber& subscriber_;
  std::vector<Room> rooms_;
  std::size_t joining_ = 0;
  std::size_t missed_ = 0;
  runtime::Wheel::Clock::time_point patience_ends_;
  std::vector<runtime::Wheel::Timer> retries_;
  Done done_;
};

}  // namespace belfry::dialects::socketio
