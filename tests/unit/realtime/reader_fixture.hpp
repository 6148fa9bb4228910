#pragma once

#include "realtime/reader_core.hpp"
#include "unit/realtime/hub_fixture.hpp"

/// The cached reads beside a real hub, over one log in memory. Every read is two steps here as well.
namespace belfry::realtime::testing {

enum class Asked { kHeads, kResolve, kDecide, kPage, kContent, kReplay, kSync };

class ScriptedReaderReads final : public ReaderReads {
 public:
  struct Call {
    Asked kind;
    std::function<void()> look;
    std::function<void(std::optional<core::Error>)> answer;
    std::size_t questions = 0;
    bool looked = false;
  };
  using Ref = std::shared_ptr<Call>;

  ScriptedReaderReads(World& world, const ManualClock& clock) : world_(world), clock_(clock) {}

  void heads(std::vector<RoomKey> rooms, Done<Heads> done) override {
    add<Heads>(Asked::kHeads, rooms.size(), std::move(done), [this, rooms = std::move(rooms)]() -> core::Result<Heads> {
      Heads heads;
      for (const auto& room : rooms) {
        if (world_.logs.contains(room)) heads.rooms.push_back(world_.head(room));
      }
      heads.access_seq = access_seq();
      heads.now = clock_.now();
      heads.timeline = timeline;
      return heads;
    });
  }
  void resolve(const domain::RoomTarget& target, Done<RoomKey> done) override {
    add<RoomKey>(Asked::kResolve, 1, std::move(done), [target]() -> core::Result<RoomKey> {
      if (target == kTalkTarget) return kTalk;
      return core::fail(core::Error::not_found("no such room"));
    });
  }
  void decide(std::vector<domain::RoomQuestion> questions, Done<std::vector<domain::RoomDecision>> done) override {
    add<std::vector<domain::RoomDecision>>(
        Asked::kDecide, questions.size(), std::move(done),
        [this, questions = std::move(questions)]() -> core::Result<std::vector<domain::RoomDecision>> {
          std::vector<domain::RoomDecision> answers;
          for (const auto& question : questions) {
            answers.push_back(world_.decide(question));
            answers.back().granted = granted;
          }
          return answers;
        });
  }
  void page(const RoomKey& room, domain::RoomReader::Load, Done<LoadedPage> done) override {
    ++pages;
    add<LoadedPage>(Asked::kPage, 1, std::move(done), [this, room]() -> core::Result<LoadedPage> {
      return LoadedPage{std::make_shared<const core::SharedText>(state(room)), moment(room)};
    });
  }
  void content(const RoomKey& room, domain::RoomReader::Load, Done<std::string> done) override {
    add<std::string>(Asked::kContent, 1, std::move(done),
                     [this, room]() -> core::Result<std::string> { return state(room); });
  }
  void replay(const RoomKey& room, std::optional<core::EventId> since, Done<Replay> done) override {
    ++replays;
    add<Replay>(Asked::kReplay, 1, std::move(done), [this, room, since]() -> core::Result<Replay> {
      domain::LogPageQuery query{.room = room, .since = since, .up_to = std::nullopt};
      query.limit = replay_limit;
      query.control_records = true;
      return Replay{world_.page(query), moment(room)};
    });
  }
  void sync(const domain::Actor& actor, const domain::SyncRoom& command, Done<domain::SyncedRoom> done) override {
    ++syncs;
    add<domain::SyncedRoom>(
        Asked::kSync, 1, std::move(done), [this, actor, command]() -> core::Result<domain::SyncedRoom> {
          const RoomKey room = command.target == kTalkTarget ? kTalk : domain::posts_room(command.target.channel_id);
          auto decision = world_.decide({actor, room});
          if (decision.refusal) return core::fail(*decision.refusal);
          return domain::SyncedRoom{room, client_page(room, command.since, command.limit)};
        });
  }

  /// What the log answers to a client: control records are not there.
  domain::LogPage client_page(const RoomKey& room, std::optional<core::EventId> since, std::int32_t limit) const {
    domain::LogPage page;
    page.head = world_.head(room);
    const auto floor = core::Uuid::v7_floor(clock_.now() - retention);
    std::optional<core::EventId> before = page.head.last_visible_id;
    bool first = true;
    bool named = false;
    for (const auto& event : world_.logs.at(room)) {
      if (!event->visible() || event->id.value < floor) continue;
      if (std::exchange(first, false)) before = event->prev_visible_id;
      if (event->id == since) named = true;
    }
    if (since && !named && since != before) {
      page.gap = before && *since < *before ? domain::Gap::kExpired : domain::Gap::kUnknownEvent;
      return page;
    }
    for (const auto& event : world_.logs.at(room)) {
      if (!event->visible() || event->id.value < floor || (since && event->id <= *since)) continue;
      if (std::ssize(page.events) == limit) {
        page.has_more = true;
        break;
      }
      page.events.push_back(event);
    }
    return page;
  }

  /// A page's bytes: the last event that it shows.
  std::string state(const RoomKey& room) const { return "as of " + std::to_string(world_.head(room).last_seq); }
  Moment moment(const RoomKey& room) const { return {world_.head(room), access_seq(), clock_.now()}; }

  Ref next(Asked kind) const {
    for (const auto& call : calls) {
      if (call->kind == kind) return call;
    }
    ADD_FAILURE() << "nothing of that kind is asked";
    return nullptr;
  }
  std::size_t count(Asked kind) const {
    return static_cast<std::size_t>(std::ranges::count(calls, kind, [](const Ref& call) { return call->kind; }));
  }
  static void look(const Ref& call) {
    if (!std::exchange(call->looked, true)) call->look();
  }
  void answer(const Ref& call, std::optional<core::Error> error = std::nullopt) {
    if (!error) look(call);
    std::erase(calls, call);
    call->answer(std::move(error));
  }
  void answer(Asked kind, std::optional<core::Error> error = std::nullopt) { answer(next(kind), std::move(error)); }
  void settle() {
    for (int rounds = 0; !calls.empty(); ++rounds) {
      ASSERT_LT(rounds, 10'000) << "the reader never comes to rest";
      answer(Ref(calls.front()));
    }
  }

  std::deque<Ref> calls;
  int pages = 0;
  int replays = 0;
  int syncs = 0;
  std::int32_t replay_limit = 1000;
  bool granted = false;
  domain::Timeline timeline = 0;
  milliseconds retention{std::chrono::hours{24}};

 private:
  std::int64_t access_seq() const { return static_cast<std::int64_t>(world_.logs.at(domain::kAccessLog).size()); }

  template <class T>
  void add(Asked kind, std::size_t questions, Done<T> done, std::function<core::Result<T>()> body) {
    auto seen = std::make_shared<std::optional<core::Result<T>>>();
    auto owed = std::make_shared<Done<T>>(std::move(done));
    auto call = std::make_shared<Call>();
    call->kind = kind;
    call->questions = questions;
    call->look = [seen, body = std::move(body)] { seen->emplace(body()); };
    call->answer = [seen, owed](std::optional<core::Error> error) {
      if (error) return (*owed)(core::fail(std::move(*error)));
      (*owed)(std::move(**seen));
    };
    calls.push_back(std::move(call));
  }

  World& world_;
  const ManualClock& clock_;
};

class ReaderTest : public HubTest {
 protected:
  explicit ReaderTest(RoomReaderOptions options = {.event_retention = std::chrono::hours{24}}) {
    auto owned = std::make_unique<ScriptedReaderReads>(world, clock);
    logs = owned.get();
    core = std::make_unique<ReaderCore>(options, std::move(owned), clock, metrics,
                                        [this](std::int64_t seq) { hub->want_access(seq); });
    start();
    hub->observe(core.get());
    world.logs[kRoom];
    world.logs[kTalk];
  }
  ~ReaderTest() override { hub->observe(nullptr); }

  static domain::Actor user(int number) {
    domain::Actor actor;
    actor.type = domain::ActorType::kUser;
    actor.id = user_id(number);
    return actor;
  }
  /// Asks for the page; the answer goes to the list: bytes, `uncached`, or `unavailable`.
  void ask(const domain::Actor& actor, const domain::RoomTarget& target = kRoomTarget, std::string name = "page") {
    core->cached(actor, {target, std::move(name)}, nullptr, [this](core::Result<domain::RoomReader::Bytes> bytes) {
      if (bytes && *bytes)
        (*bytes)->packed([this](const std::string& text) { return pack ? std::optional(pack(text)) : std::nullopt; });
      heard.push_back(!bytes ? "unavailable" : *bytes ? (*bytes)->text() : "uncached");
    });
  }
  std::string answered() {
    EXPECT_EQ(heard.size(), 1U);
    return heard.empty() ? "nothing" : std::exchange(heard, {}).front();
  }
  std::string ask_and_settle(const domain::Actor& actor, const domain::RoomTarget& target = kRoomTarget) {
    ask(actor, target);
    logs->settle();
    return answered();
  }
  /// Asked often enough that it is worth remembering; the page and the decision are there then.
  void warm(const domain::Actor& actor, const domain::RoomTarget& target = kRoomTarget) {
    for (int i = 0; i < 3; ++i) ask_and_settle(actor, target);
    EXPECT_EQ(ask_and_settle(actor, target), logs->state(target == kRoomTarget ? kRoom : kTalk));
  }
  void sync(const domain::Actor& actor, std::optional<core::EventId> since, std::int32_t limit = 100,
            const domain::RoomTarget& target = kTalkTarget) {
    core->sync(actor, {target, since, limit},
               [this](core::Result<domain::SyncedRoom> synced) { synced_.push_back(std::move(synced)); });
  }
  core::Result<domain::SyncedRoom> sync_and_settle(const domain::Actor& actor, std::optional<core::EventId> since,
                                                   std::int32_t limit = 100) {
    sync(actor, since, limit);
    logs->settle();
    EXPECT_EQ(synced_.size(), 1U);
    return std::exchange(synced_, {}).front();
  }
  /// Applies what the access log has, as the hub would hear of it.
  void hear(const SharedEvent& event) {
    tell({event});
    reads->settle();
  }
  SharedEvent message() { return world.append(kTalk, domain::EventType::kMessageCreated, domain::MessagePayload{}); }

  ScriptedReaderReads* logs = nullptr;
  std::unique_ptr<ReaderCore> core;
  std::vector<std::string> heard;
  std::function<std::string(const std::string&)> pack;  ///< what whoever is answered does with a page, if anything
  std::vector<core::Result<domain::SyncedRoom>> synced_;
};

inline std::vector<std::int64_t> seqs(const domain::LogPage& page) {
  std::vector<std::int64_t> seqs;
  for (const auto& event : page.events) seqs.push_back(event->seq);
  return seqs;
}

}  // namespace belfry::realtime::testing
