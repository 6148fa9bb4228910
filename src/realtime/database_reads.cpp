#include <algorithm>
#include <span>
#include <utility>

#include "reads.hpp"

namespace belfry::realtime {

namespace {

using core::Result;
using domain::JobMode;
using domain::UnitOfWork;

/// Rooms per statement when heads are verified.
constexpr std::size_t kHeadsChunk = 5000;

domain::JobOptions job(std::string_view name) {
  domain::JobOptions options;
  options.name = name;
  return options;
}

class DatabaseReads final : public Reads {
 public:
  explicit DatabaseReads(domain::Database& database) : database_(database) {}

  void resolve(const domain::RoomTarget& target, const domain::Actor& actor, Done<domain::RoomKey> done) override {
    database_.run<domain::RoomKey>(
        JobMode::kRead, job("rooms.resolve"),
        [target, actor](UnitOfWork& work) -> Result<domain::RoomKey> {
          auto room = domain::resolve_room(work, target);
          if (room || target.kind != domain::RoomKind::kDiscussion) return room;
          const domain::RoomQuestion outer{actor, domain::posts_room(target.channel_id)};
          auto decision = domain::decide_rooms(work, std::span(&outer, 1)).front();
          if (decision.refusal) return core::fail(std::move(*decision.refusal));
          return room;
        },
        std::move(done));
  }

  void decide(std::vector<domain::RoomQuestion> questions, bool introduces,
              Done<std::vector<domain::RoomDecision>> done) override {
    auto options = job("rooms.decide");
    if (introduces) {
      options.callers.reserve(questions.size());
      for (const auto& question : questions) options.callers.push_back(question.actor);
    }
    database_.run<std::vector<domain::RoomDecision>>(
        JobMode::kRead, std::move(options),
        [questions = std::move(questions)](UnitOfWork& work) -> Result<std::vector<domain::RoomDecision>> {
          return domain::decide_rooms(work, questions);
        },
        std::move(done));
  }

  void page(domain::LogPageQuery query, Done<domain::LogPage> done) override {
    database_.run<domain::LogPage>(
        JobMode::kRead, job("rooms.log"),
        [query](UnitOfWork& work) -> Result<domain::LogPage> { return work.log().page(query); }, std::move(done));
  }

  void scan(ScanQuery query, Done<Scan> done) override {
    database_.run<Scan>(
        JobMode::kRead, job("rooms.sweep"),
        [query = std::move(query)](UnitOfWork& work) -> Result<Scan> {
          Scan scan;
          scan.journal = work.log().journal_since(query.from_xid);
          const std::span<const domain::RoomKey> rooms(query.rooms);
          for (std::size_t at = 0; at < rooms.size(); at += kHeadsChunk) {
            auto heads = work.log().heads(rooms.subspan(at, std::min(kHeadsChunk, rooms.size() - at)));
            scan.heads.insert(scan.heads.end(), heads.begin(), heads.end());
          }
          return scan;
        },
        std::move(done));
  }

 private:
  domain::Database& database_;
};

}  // namespace

std::unique_ptr<Reads> make_database_reads(domain::Database& database) {
  return std::make_unique<DatabaseReads>(database);
}

}  // namespace belfry::realtime
