#pragma once

#include <functional>
#include <memory>
#include <string>

#include "belfry/core/shared_text.hpp"
#include "belfry/domain/room_access.hpp"

namespace belfry::domain {

/// Reads of rooms that many ask for at once, answered from memory behind the barrier: every answer has all that was
/// acknowledged, on any node, before it was asked for, and goes to nobody whose right ended before. I/O thread only;
/// `done` exactly once, maybe inside the call.
class RoomReader {
 public:
  /// An encoded page; null: not from here, the caller has to read for itself.
  using Bytes = std::shared_ptr<const core::SharedText>;
  using PageDone = std::move_only_function<void(core::Result<Bytes>)>;
  using SyncDone = std::move_only_function<void(core::Result<SyncedRoom>)>;
  /// Reads and encodes a page on a database thread, without deciding anything: a function of the room's state, and of
  /// what the page's name says, never of who asks. Every change of what it shows must have its event in that room.
  using Load = std::function<core::Result<std::string>(UnitOfWork&, const RoomKey&)>;

  struct Page {
    RoomTarget target;
    std::string name;  ///< with everything the bytes depend on besides the room
  };

  virtual ~RoomReader() = default;
  /// The page, for `actor`, who may be anonymous. Whatever is in doubt, refusals among it, is null, so that one job of
  /// the caller's decides and reads; an error is kUnavailable.
  virtual void cached(const Actor& actor, Page page, Load load, PageDone done) = 0;
  /// As `sync_room` answers.
  virtual void sync(const Actor& actor, SyncRoom command, SyncDone done) = 0;
};

}  // namespace belfry::domain
