#include <random>
#include <tuple>

#include "unit/realtime/hub_fixture.hpp"

namespace belfry::realtime::testing {
namespace {

/// A subscriber that checks what it hears against the log while it hears it.
class Witness final : public Subscriber {
 public:
  struct Stay {
    RoomKey room;
    std::int64_t after = 0;  ///< the last visible event before the stay
    std::vector<std::int64_t> heard;
    bool open = true;
  };

  Witness(const World& world, const Encoder& encoder, int number) : world_(world), encoder_(encoder) {
    actor_.type = domain::ActorType::kUser;
    actor_.id = user_id(number);
  }
  const domain::Actor& actor() const override { return actor_; }
  const Encoder& encoder() const override { return encoder_; }
  bool writable() const override { return room_for > 0; }

  bool deliver(const SharedFrame& frame, core::TimePoint) override {
    if (!writable()) return false;
    for (std::size_t i = 0; i < frame->count(); ++i) hear(std::string(frame->text(i)));
    return true;
  }
  void hear(const std::string& text) {
    --room_for;
    const auto hash = text.find('#');
    const auto key = std::stoll(text.substr(0, hash));
    const auto seq = std::stoll(text.substr(hash + 1));
    Stay* stay = open_stay(key == kRoom.key ? kRoom : kTalk);
    ASSERT_NE(stay, nullptr) << "delivered after the end";
    const auto& event = *world_.logs.at(stay->room).at(static_cast<std::size_t>(seq - 1));
    if (world_.revoked.contains(actor_.id)) EXPECT_LT(event.access_seq, revoked_at) << "after the revocation";
    const auto ban = banned_at.find(stay->room);
    if (ban != banned_at.end()) EXPECT_LT(seq, ban->second) << "after the ban";
    stay->heard.push_back(seq);
  }
  void room_left(const RoomKey& room, core::Reason) override {
    Stay* stay = open_stay(room);
    ASSERT_NE(stay, nullptr) << "left twice";
    stay->open = false;
  }
  void joined(const Joined& joined) {
    std::int64_t after = 0;
    for (const auto& event : world_.logs.at(joined.room)) {
      if (event->id == joined.last_event_id) after = event->seq;
    }
    stays.push_back({joined.room, after, {}, true});
  }
  Stay* open_stay(const RoomKey& room) {
    const auto at = std::ranges::find_if(stays, [&](const Stay& stay) { return stay.open && stay.room == room; });
    return at == stays.end() ? nullptr : &*at;
  }
  /// Exactly the room's events from where the stay began, in order, once: to the end for whoever stayed.
  void check() const {
    for (const auto& stay : stays) {
      std::vector<std::int64_t> expected;
      for (const auto& event : world_.logs.at(stay.room)) {
        if (event->visible() && event->seq > stay.after) expected.push_back(event->seq);
      }
      if (!stay.open) {
        ASSERT_LE(stay.heard.size(), expected.size());
        expected.resize(stay.heard.size());
      }
      EXPECT_EQ(stay.heard, expected);
    }
  }

  int room_for = 1'000'000;
  std::int64_t revoked_at = 0;
  std::map<RoomKey, std::int64_t> banned_at;
  std::vector<Stay> stays;
  std::set<RoomKey> joining;

 private:
  const World& world_;
  const Encoder& encoder_;
  domain::Actor actor_;
};

/// A seed, and whether the events of a turn leave together: a turn then ends at random moments.
class RandomScheduleTest : public HubTest, public ::testing::WithParamInterface<std::tuple<int, bool>> {
 protected:
  RandomScheduleTest()
      : HubTest(HubOptions{.recheck_interval = std::chrono::seconds{1},
                           .refill_records = 3,
                           .max_concurrent_refills = 2,
                           .at_turn_end = std::get<bool>(GetParam())
                                              ? [this](std::function<void()> hook) { end_turn = std::move(hook); }
                                              : std::function<void(std::function<void()>)>()}),
        random_(static_cast<unsigned>(std::get<int>(GetParam()))) {
    hub->hook_turn_end();
    world.logs[kRoom];
    world.logs[kTalk];
    for (int i = 0; i < 5; ++i) witnesses.push_back(std::make_unique<Witness>(world, encoder, i + 1));
  }

  int pick(int below) { return static_cast<int>(random_() % static_cast<unsigned>(below)); }
  Witness& someone() { return *witnesses[static_cast<std::size_t>(pick(static_cast<int>(witnesses.size())))]; }
  RoomKey some_room() { return pick(2) == 0 ? kRoom : kTalk; }

  /// A commit whose notice arrives now, later, twice or never.
  void committed(SharedEvent event) {
    switch (pick(4)) {
      case 0:
        tell({event});
        break;
      case 1:
        late_.push_back(event);
        break;
      case 2:
        tell({event});
        late_.push_back(event);
        break;
      default:
        break;
    }
  }
  void join_someone() {
    Witness& who = someone();
    const RoomKey room = some_room();
    if (who.open_stay(room) != nullptr || !who.joining.insert(room).second) return;
    hub->join(who, room == kRoom ? kRoomTarget : kTalkTarget, [&who, room](core::Result<Joined> joined) {
      who.joining.erase(room);
      if (joined) who.joined(*joined);
    });
  }
  void leave_someone() {
    Witness& who = someone();
    const RoomKey room = some_room();
    if (auto* stay = who.open_stay(room)) {
      stay->open = false;
      hub->leave(who, room);
    }
  }
  void change_access() {
    Witness& who = someone();
    const auto user = who.actor().id;
    if (world.revoked.contains(user)) return committed(world.grant(user));
    const auto record = world.revoke(user);
    who.revoked_at = record->seq;
    committed(record);
  }
  void ban_someone() {
    Witness& who = someone();
    const RoomKey room = some_room();
    if (world.banned.contains({room, who.actor().id})) return;
    const auto record = world.ban(room, who.actor().id);
    who.banned_at[room] = record->seq;
    committed(record);
  }
  void step_a_read() {
    if (reads->calls.empty()) return;
    const auto call = reads->calls[static_cast<std::size_t>(pick(static_cast<int>(reads->calls.size())))];
    const int fate = pick(10);
    if (fate < 3) return ScriptedReads::look(call);
    if (fate == 3) return reads->answer(call, core::Error::unavailable("away"));
    reads->answer(call);
  }
  void step() {
    const int what = pick(100);
    if (end_turn && pick(3) == 0) end_turn();
    if (what < 25) return committed(world.append(some_room()));
    if (what < 65) return step_a_read();
    if (what < 75) return join_someone();
    if (what < 78) return leave_someone();
    if (what < 80) return change_access();
    if (what < 81) return ban_someone();
    if (what < 82) return committed(world.control(some_room(), domain::ControlKind::kPolicy));
    if (what < 86) return pass(milliseconds{50 + pick(400)});
    if (what < 90) {
      if (late_.empty()) return;
      const auto at = late_.begin() + pick(static_cast<int>(late_.size()));
      const auto event = *at;
      late_.erase(at);
      return tell({event});
    }
    Witness& who = someone();
    who.room_for = pick(6);
    if (who.room_for > 0) hub->drained(who);
  }

  std::vector<std::unique_ptr<Witness>> witnesses;
  std::function<void()> end_turn;

 private:
  std::mt19937 random_;
  std::vector<SharedEvent> late_;
};

TEST_P(RandomScheduleTest, EveryReaderThatStaysEndsWithExactlyTheRoomsEvents) {
  start();
  for (int i = 0; i < 1500 && !HasFatalFailure(); ++i) {
    clock.pass(milliseconds{1});
    step();
  }
  for (const auto& who : witnesses) {
    who->room_for = 1'000'000;
    hub->drained(*who);
  }
  for (int i = 0; i < 20; ++i) {
    reads->settle();
    if (end_turn) end_turn();
    pass(milliseconds{600});
  }
  reads->settle();
  if (end_turn) end_turn();
  for (const auto& who : witnesses) {
    who->check();
    EXPECT_TRUE(who->joining.empty()) << "a join was never answered";
    hub->remove(*who);
  }
  EXPECT_EQ(hub->counts().rooms, 0U);
  EXPECT_EQ(hub->counts().subscribers, 0U);
  EXPECT_EQ(wheel.size(), 1U) << "only the sweep";
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomScheduleTest, ::testing::Combine(::testing::Range(1, 151), ::testing::Bool()));

}  // namespace
}  // namespace belfry::realtime::testing
