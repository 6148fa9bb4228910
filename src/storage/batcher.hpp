#pragma once

#include <list>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "storage/engine.hpp"
#include "storage/link.hpp"

namespace belfry::storage {

/// Group commit of messages: one thread, one connection; what queued while the last commit ran shares the next
/// transaction. A batch that fails is taken apart: rooms that cannot be locked wait aside without holding up the
/// others, a command that the database refuses is found by halving.
class Batcher {
 public:
  explicit Batcher(Engine& engine);
  ~Batcher();
  void run();

 private:
  using Items = std::vector<std::shared_ptr<MessageJob>>;

  /// Rooms that could not be locked, by their channel; probed without waiting until they can.
  struct Aside {
    std::shared_ptr<MessageJob> item;
    SteadyTime probe_at;
  };

  void collect_aside(Items& batch);
  void put_aside(std::shared_ptr<MessageJob> item);
  /// Puts those aside whose room others wait for already.
  void keep_order(Items& items);
  void drop_late(Items& items);
  void run_batch(Items items);
  /// What is left to run after one try, in order.
  std::vector<Items> attempt(Items items, int depth);
  void run_once(const Items& items);
  /// Somebody waits with a message for a room of these.
  bool more_follows(const Items& items) const;
  std::vector<Items> settle(const CommitInDoubt& doubt, Items items);
  std::vector<Items> judge(const Failure& failure, Items items, bool begun);
  std::vector<Items> ask_grants(std::vector<domain::GrantQuestion> questions, Items items);
  std::vector<Items> without_stuck(Items items);
  std::set<core::ChannelId> stuck_channels(const Items& items);
  void fail_all(const Items& items, const core::Error& error);

  Engine& engine_;
  Link link_;
  std::list<Aside> aside_;
  // Of the try that runs.
  bool begun_ = false;
  std::vector<core::Result<domain::CreatedMessage>> results_;
  std::shared_ptr<domain::CommitNotice> notice_;
};

}  // namespace belfry::storage
