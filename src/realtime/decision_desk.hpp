#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <tuple>
#include <unordered_set>
#include <vector>

#include "belfry/telemetry/metrics.hpp"
#include "decision_cache.hpp"
#include "lifeline.hpp"
#include "reader_reads.hpp"

namespace belfry::realtime {

enum class Verdict : std::uint8_t {
  kAllowed,  ///< was put into the cache if it may stay there
  kRefused,
  kUnknown,  ///< could not be decided now
};

/// Asks for decisions that are missing: one read in flight, and what queued meanwhile shares the next. Two who ask the
/// same share a question. One in flight is enough, as a read waits for nobody but the database. I/O thread only.
class DecisionDesk {
 public:
  using Done = std::move_only_function<void(Verdict)>;

  DecisionDesk(ReaderReads& reads, DecisionCache& cache, telemetry::Metrics& metrics)
      : reads_(reads), cache_(cache), metrics_(metrics) {}

  void ask(const domain::Actor& actor, const domain::RoomKey& room, Done done);
  /// Rooms in which a decision rested on a grant, where grants are kept by somebody else: nothing of them is cached.
  bool rests_on_grant(const domain::RoomKey& room) const { return granted_.contains(room); }

 private:
  using Key = std::tuple<core::UserId, domain::ActorType, domain::RoomKey>;
  struct Question {
    domain::RoomQuestion asked;
    std::vector<Done> waiting;
  };
  void send();
  void answer(std::vector<Question> batch, std::uint64_t epoch,
              const core::Result<std::vector<domain::RoomDecision>>& decisions);

  ReaderReads& reads_;
  DecisionCache& cache_;
  telemetry::Metrics& metrics_;
  std::map<Key, Question> queue_;
  std::unordered_set<domain::RoomKey> granted_;
  bool in_flight_ = false;
  Lifeline line_;
};

}  // namespace belfry::realtime
