#include <algorithm>
#include <span>
#include <utility>

#include "reader_reads.hpp"

namespace belfry::realtime {

namespace {

using core::Result;
using domain::JobMode;
using domain::RoomKey;
using domain::UnitOfWork;

constexpr std::int32_t kReplayRecords = 1000;

domain::JobOptions job(std::string_view name) {
  domain::JobOptions options;
  options.name = name;
  return options;
}

/// Nothing when there is no such room.
std::optional<Moment> moment_of(UnitOfWork& work, const RoomKey& room) {
  Moment moment;
  const RoomKey both[] = {room, domain::kAccessLog};
  bool found = false;
  for (auto& head : work.log().heads(both)) {
    if (head.room == domain::kAccessLog) {
      moment.access_seq = head.last_seq;
    } else {
      moment.head = std::move(head);
      found = true;
    }
  }
  moment.now = work.now();
  // The clock was read before the snapshot was taken: what is in it is not later than what it holds.
  if (moment.head.last_id) moment.now = std::max(moment.now, moment.head.last_id->value.v7_time());
  if (!found) return std::nullopt;
  return moment;
}

core::Error no_room() { return core::Error::not_found("Room not found."); }

class DatabaseReaderReads final : public ReaderReads {
 public:
  explicit DatabaseReaderReads(domain::Database& database) : database_(database) {}

  void heads(std::vector<RoomKey> rooms, Done<Heads> done) override {
    database_.run<Heads>(
        JobMode::kStatement, job("rooms.barrier"),
        [rooms = std::move(rooms)](UnitOfWork& work) -> Result<Heads> {
          auto now = work.log().heads_now(rooms);
          return Heads{std::move(now.rooms), now.access_seq, now.now, now.timeline};
        },
        std::move(done));
  }

  void resolve(const domain::RoomTarget& target, Done<RoomKey> done) override {
    database_.run<RoomKey>(
        JobMode::kRead, job("rooms.resolve"), [target](UnitOfWork& work) { return domain::resolve_room(work, target); },
        std::move(done));
  }

  void decide(std::vector<domain::RoomQuestion> questions, Done<std::vector<domain::RoomDecision>> done) override {
    database_.run<std::vector<domain::RoomDecision>>(
        JobMode::kRead, job("rooms.decide"),
        [questions = std::move(questions)](UnitOfWork& work) -> Result<std::vector<domain::RoomDecision>> {
          return domain::decide_rooms_inside(work, questions);
        },
        std::move(done));
  }

  void page(const RoomKey& room, domain::RoomReader::Load load, Done<LoadedPage> done) override {
    database_.run<LoadedPage>(
        JobMode::kRead, job("rooms.page"),
        [room, load = std::move(load)](UnitOfWork& work) -> Result<LoadedPage> {
          auto moment = moment_of(work, room);
          if (!moment) return core::fail(no_room());
          auto bytes = load(work, room);
          if (!bytes) return core::fail(std::move(bytes.error()));
          return LoadedPage{std::make_shared<const core::SharedText>(std::move(*bytes)), std::move(*moment)};
        },
        std::move(done));
  }

  void content(const RoomKey& room, domain::RoomReader::Load load, Done<std::string> done) override {
    database_.run<std::string>(
        JobMode::kStatement, job("rooms.content"),
        [room, load = std::move(load)](UnitOfWork& work) { return load(work, room); }, std::move(done));
  }

  void replay(const RoomKey& room, std::optional<core::EventId> since, Done<Replay> done) override {
    domain::LogPageQuery query{.room = room, .since = since, .up_to = std::nullopt};
    query.limit = kReplayRecords;
    query.control_records = true;
    database_.run<Replay>(
        JobMode::kRead, job("rooms.replay"),
        [query](UnitOfWork& work) -> Result<Replay> {
          auto moment = moment_of(work, query.room);
          if (!moment) return core::fail(no_room());
          return Replay{work.log().page(query), std::move(*moment)};
        },
        std::move(done));
  }

  void sync(const domain::Actor& actor, const domain::SyncRoom& command, Done<domain::SyncedRoom> done) override {
    auto options = job("rooms.sync");
    if (!actor.anonymous()) options.callers = {actor};
    database_.run<domain::SyncedRoom>(
        JobMode::kRead, std::move(options),
        [actor, command](UnitOfWork& work) { return domain::sync_room(work, actor, command); }, std::move(done));
  }

 private:
  domain::Database& database_;
};

}  // namespace

std::unique_ptr<ReaderReads> make_database_reader_reads(domain::Database& database) {
  return std::make_unique<DatabaseReaderReads>(database);
}

}  // namespace belfry::realtime
