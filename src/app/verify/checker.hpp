#pragma once

#include <deque>
#include <map>
#include <string>
#include <vector>

#include "app/verify/history.hpp"

namespace belfry::verify {

/// A promise that a recording shows broken.
struct Violation {
  int promise = 0;  ///< the number in docs/architecture.md
  std::string what;
  std::string who;
  std::vector<std::string> history;  ///< the records that show it, in order
};

using Counts = std::map<std::string, std::uint64_t>;

/// Holds what readers saw against the log and the acknowledged writes. Every record of a recording is given twice:
/// first all to `learn`, then all to `check`, since a reader's line can only be judged by what was written later in the
/// file.
class Checker {
 public:
  void learn(const Record& record);
  void check(const Record& record);
  void finish();

  const std::vector<Violation>& violations() const { return violations_; }
  std::uint64_t violation_count() const { return violation_count_; }
  const Counts& counts() const { return counts_; }

 private:
  struct Stream {
    bool joined = false;
    std::int64_t last = kNowhere;
    Ticks since = 0;
    std::string user;
    bool sleepy = false;
    std::deque<std::string> recent;
  };
  using StreamKey = std::pair<std::string, std::string>;

  void begin();
  void check_log(const std::string& name, const RoomHistory& room);
  void check_order(const RoomHistory& room);
  void check_write(const Write& write);
  void check_slow(const SlowMode& slow);
  void check_join(const Join& join);
  void check_frame(const Frame& frame);
  void check_frame_access(const Frame& frame, const RoomHistory& room, std::int64_t place);
  void check_prompt(const std::string& reader, const std::string& name, const Stream& stream, std::int64_t place,
                    Ticks at);
  void check_left(const Left& left);
  void check_closed(const Closed& closed);
  void check_settled(const Settled& settled);
  void check_sync(const Sync& sync);
  void check_gap(const Sync& sync, const RoomHistory& room);
  void check_page(const Page& page);
  void check_page_end(const Page& page, const RoomHistory& room, std::size_t first);
  void check_final(const Final& last);
  void check_wait(const Wait& wait);
  void check_baseline(const Baseline& baseline);
  void check_cursors();
  void check_tickets();
  void check_driven();
  /// An event as it was shown, against the same event in the log.
  void check_shown(const SeenEvent& shown, const RoomHistory& room, std::int64_t place, const std::string& who,
                   const std::vector<std::string>& history);
  /// A read that began after a deletion has no content; one of what nobody deleted has it.
  void check_mask(const std::string& who, const std::string& room, std::int64_t entity, bool has_content, Ticks begun,
                  Ticks done, const std::string& line);
  void violate(int promise, std::string what, std::string who, std::vector<std::string> history);
  void count(const std::string& what, std::uint64_t by = 1) { counts_[what] += by; }
  std::vector<std::string> around(const RoomHistory& room, std::int64_t place, int before = 1, int after = 1) const;
  std::vector<std::string> with_recent(const Stream& stream, const RoomHistory& room, std::int64_t place) const;

  History history_;
  bool begun_ = false;
  std::map<StreamKey, Stream> streams_;
  std::map<std::pair<std::string, std::string>, std::vector<Cursor>> cursors_;
  std::map<std::string, std::vector<Outcome>> tickets_;
  std::vector<std::string> driven_;
  std::vector<Violation> violations_;
  std::uint64_t violation_count_ = 0;
  Counts counts_;
};

}  // namespace belfry::verify
