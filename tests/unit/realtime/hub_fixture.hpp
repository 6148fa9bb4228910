#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "realtime/hub_core.hpp"

/// The hub over a log in memory. Every read is two steps that the test takes when it likes: its snapshot, then its
/// answer.
namespace belfry::realtime::testing {

using core::UserId;
using domain::RoomKey;
using domain::SharedEvent;
using std::chrono::milliseconds;

class ManualClock final : public core::Clock {
 public:
  core::TimePoint now() const override { return now_; }
  void pass(milliseconds by) { now_ += by; }

 private:
  core::TimePoint now_{milliseconds{1'700'000'000'000}};
};

inline UserId user_id(int number) {
  UserId id;
  id.value.bytes[15] = static_cast<std::uint8_t>(number);
  id.value.bytes[14] = static_cast<std::uint8_t>(number >> 8);
  id.value.bytes[0] = 1;
  return id;
}

inline const RoomKey kRoom = domain::posts_room({7});
inline const RoomKey kTalk = domain::discussion_room({9});
inline const domain::RoomTarget kRoomTarget{domain::RoomKind::kPosts, {7}};
inline const domain::RoomTarget kTalkTarget{domain::RoomKind::kDiscussion, {9}};

/// What a database would hold.
class World {
 public:
  explicit World(const ManualClock& clock) : clock_(clock) { logs[domain::kAccessLog]; }

  SharedEvent append(const RoomKey& room, domain::EventType type = domain::EventType::kPostCreated,
                     domain::EventPayload payload = domain::PostPayload{}) {
    auto& log = logs[room];
    auto event = std::make_shared<domain::Event>();
    event->room = room;
    event->seq = static_cast<std::int64_t>(log.size()) + 1;
    if (!log.empty()) {
      event->prev_id = log.back()->id;
      event->prev_visible_id = log.back()->visible() ? log.back()->id : log.back()->prev_visible_id;
    }
    const auto last = event->prev_id ? std::optional(event->prev_id->value) : std::nullopt;
    event->id = core::EventId{core::Uuid::v7_after(last, clock_.now())};
    event->access_seq = static_cast<std::int64_t>(logs[domain::kAccessLog].size());
    event->type = type;
    event->payload = std::move(payload);
    log.push_back(event);
    journal.emplace_back(room, event->seq);
    return event;
  }
  SharedEvent control(const RoomKey& room, domain::ControlKind kind, std::optional<UserId> subject = std::nullopt) {
    return append(room, domain::EventType::kControl, domain::ControlPayload{{}, kind, subject});
  }
  SharedEvent ban(const RoomKey& room, UserId user) {
    banned.emplace(room, user);
    return control(room, domain::ControlKind::kBan, user);
  }
  SharedEvent revoke(UserId user) {
    revoked.insert(user);
    return access(user);
  }
  SharedEvent grant(UserId user) {
    revoked.erase(user);
    return access(user);
  }
  SharedEvent access(UserId user) {
    return append(domain::kAccessLog, domain::EventType::kAccessChanged, domain::AccessPayload{{}, user, {}, {}});
  }

  domain::RoomHead head(const RoomKey& room) const {
    domain::RoomHead head;
    head.room = room;
    const auto at = logs.find(room);
    if (at == logs.end() || at->second.empty()) return head;
    head.last_seq = at->second.back()->seq;
    head.last_id = at->second.back()->id;
    head.last_visible_id = at->second.back()->visible() ? head.last_id : at->second.back()->prev_visible_id;
    head.access_version = std::ranges::count_if(at->second, [](const SharedEvent& event) { return !event->visible(); });
    return head;
  }

  domain::RoomDecision decide(const domain::RoomQuestion& question) const {
    domain::RoomDecision decision;
    decision.head = head(question.room);
    decision.channel_id = {7};
    decision.access_seq = static_cast<std::int64_t>(logs.at(domain::kAccessLog).size());
    decision.granted = granted;
    const auto user = question.actor.id;
    const auto end = valid_until.find(user);
    if (end != valid_until.end()) decision.valid_until = end->second;
    const bool ended = decision.valid_until && clock_.now() >= *decision.valid_until;
    if (question.actor.admin()) return decision;
    if (drafts.contains(question.room)) {
      decision.refusal = core::Error::not_found("no such room");
    } else if (revoked.contains(user) || ended) {
      decision.refusal = core::Error::forbidden(core::Reason::kEntitlementRequired, "no");
    } else if (disabled.contains(question.room)) {
      decision.refusal = core::Error::forbidden(core::Reason::kDiscussionDisabled, "no");
    } else if (banned.contains({question.room, user})) {
      decision.refusal = core::Error::forbidden(core::Reason::kDiscussionBanned, "no");
    }
    return decision;
  }

  domain::LogPage page(const domain::LogPageQuery& query) const {
    domain::LogPage page;
    page.head = head(query.room);
    const auto at = logs.find(query.room);
    if (at == logs.end()) return page;
    std::int64_t since = 0;
    if (query.since) {
      const auto found =
          std::ranges::find(at->second, *query.since, [](const SharedEvent& event) { return event->id; });
      if (found == at->second.end()) {
        page.gap = domain::Gap::kUnknownEvent;
        return page;
      }
      since = (*found)->seq;
    }
    const auto kept = retained_from.contains(query.room) ? retained_from.at(query.room) : 1;
    if (query.since && since < kept - 1) {
      page.gap = domain::Gap::kExpired;
      return page;
    }
    for (const auto& event : at->second) {
      if (event->seq <= since || event->seq < kept) continue;
      if (query.up_to && event->seq > *query.up_to) break;
      if (static_cast<std::int32_t>(page.events.size()) == query.limit) {
        page.has_more = true;
        break;
      }
      page.events.push_back(event);
    }
    return page;
  }

  Scan scan(const ScanQuery& query) const {
    Scan scan;
    if (query.from_xid > 0)
      scan.journal.heads.assign(journal.begin() + static_cast<std::ptrdiff_t>(query.from_xid - 1), journal.end());
    scan.journal.next_xid = journal.size() + 1;
    scan.journal.timeline = timeline;
    for (const auto& room : query.rooms) scan.heads.push_back(head(room));
    return scan;
  }

  std::map<RoomKey, std::vector<SharedEvent>> logs;
  std::map<RoomKey, std::int64_t> retained_from;
  std::vector<std::pair<RoomKey, std::int64_t>> journal;
  domain::Timeline timeline = 0;
  std::set<std::pair<RoomKey, UserId>> banned;
  bool granted = false;  ///< whether rights rest on grants
  std::set<UserId> revoked;
  std::set<RoomKey> drafts;
  std::set<RoomKey> disabled;
  std::map<UserId, core::TimePoint> valid_until;

 private:
  const ManualClock& clock_;
};

enum class ReadKind { kResolve, kDecide, kPage, kScan };

class ScriptedReads final : public Reads {
 public:
  struct Call {
    ReadKind kind;
    std::uint64_t from_xid = 0;  ///< of a scan
    RoomKey room;                ///< of a page
    std::size_t questions = 0;   ///< of a decision
    bool introduces = false;     ///< of a decision
    std::vector<UserId> actors;  ///< of a decision
    std::function<void()> look;  ///< takes the snapshot
    std::function<void(std::optional<core::Error>)> answer;
    bool looked = false;
  };
  using Ref = std::shared_ptr<Call>;

  explicit ScriptedReads(World& world) : world_(world) {}

  void resolve(const domain::RoomTarget& target, const domain::Actor&, Done<RoomKey> done) override {
    add<RoomKey>({.kind = ReadKind::kResolve}, std::move(done), [target](const World&) -> core::Result<RoomKey> {
      if (target == kRoomTarget) return kRoom;
      if (target == kTalkTarget) return kTalk;
      if (target.channel_id.value >= 100) return domain::posts_room(target.channel_id);
      return core::fail(core::Error::not_found("no such room"));
    });
  }
  void decide(std::vector<domain::RoomQuestion> questions, bool introduces,
              Done<std::vector<domain::RoomDecision>> done) override {
    Call call{.kind = ReadKind::kDecide};
    call.questions = questions.size();
    call.introduces = introduces;
    for (const auto& question : questions) call.actors.push_back(question.actor.id);
    add<std::vector<domain::RoomDecision>>(
        std::move(call), std::move(done),
        [questions = std::move(questions)](const World& world) -> core::Result<std::vector<domain::RoomDecision>> {
          std::vector<domain::RoomDecision> answers;
          for (const auto& question : questions) answers.push_back(world.decide(question));
          return answers;
        });
  }
  void page(domain::LogPageQuery query, Done<domain::LogPage> done) override {
    add<domain::LogPage>({.kind = ReadKind::kPage, .room = query.room}, std::move(done),
                         [query](const World& world) -> core::Result<domain::LogPage> { return world.page(query); });
  }
  void scan(ScanQuery query, Done<Scan> done) override {
    add<Scan>({.kind = ReadKind::kScan, .from_xid = query.from_xid}, std::move(done),
              [query](const World& world) -> core::Result<Scan> { return world.scan(query); });
  }

  std::vector<Ref> pending(ReadKind kind) const {
    std::vector<Ref> found;
    std::ranges::copy_if(calls, std::back_inserter(found), [&](const Ref& call) { return call->kind == kind; });
    return found;
  }
  /// The only pending read of its kind.
  Ref only(ReadKind kind) const {
    const auto found = pending(kind);
    EXPECT_EQ(found.size(), 1U);
    return found.empty() ? nullptr : found.front();
  }
  static void look(const Ref& call) {
    if (!call->looked) call->look();
    call->looked = true;
  }
  void answer(const Ref& call, std::optional<core::Error> error = std::nullopt) {
    if (!error) look(call);
    std::erase(calls, call);
    call->answer(std::move(error));
  }
  /// Everything, and what follows from it.
  void settle() {
    for (int rounds = 0; !calls.empty(); ++rounds) {
      ASSERT_LT(rounds, 10'000) << "the hub never comes to rest";
      answer(Ref(calls.front()));
    }
  }

  std::deque<Ref> calls;

 private:
  template <class T>
  void add(Call call, Done<T> done, std::function<core::Result<T>(const World&)> body) {
    auto seen = std::make_shared<std::optional<core::Result<T>>>();
    auto owed = std::make_shared<Done<T>>(std::move(done));
    call.look = [this, seen, body = std::move(body)] { seen->emplace(body(world_)); };
    call.answer = [seen, owed](std::optional<core::Error> error) {
      if (error) return (*owed)(core::fail(std::move(*error)));
      (*owed)(std::move(**seen));
    };
    calls.push_back(std::make_shared<Call>(std::move(call)));
  }

  World& world_;
};

class NumberEncoder final : public Encoder {
 public:
  explicit NumberEncoder(telemetry::EventDialect dialect = telemetry::EventDialect::kNative) : dialect_(dialect) {}
  telemetry::EventDialect dialect() const override { return dialect_; }
  SharedFrame encode(const domain::Event& event) const override {
    ++encoded;
    if (fails_at == event.seq) throw std::runtime_error("this event cannot be told");
    return make_frame(std::to_string(event.room.key) + "#" + std::to_string(event.seq));
  }
  mutable int encoded = 0;
  std::int64_t fails_at = 0;

 private:
  telemetry::EventDialect dialect_;
};

class Reader final : public Subscriber {
 public:
  Reader(const Encoder& encoder, UserId id) : encoder_(encoder) {
    actor_.type = domain::ActorType::kUser;
    actor_.id = id;
  }
  const domain::Actor& actor() const override { return actor_; }
  const Encoder& encoder() const override { return encoder_; }
  bool writable() const override { return room_for > 0; }
  bool deliver(const SharedFrame& frame, core::TimePoint) override {
    if (!writable()) return false;
    if (throws) throw std::runtime_error("this reader is broken");
    --room_for;
    heard.emplace_back(frame->text());
    if (on_deliver) on_deliver();
    return true;
  }
  void room_left(const RoomKey& room, core::Reason reason) override {
    heard.push_back("left " + std::to_string(room.key) + " " + std::string(core::reason_name(reason)));
  }
  void become_admin() { actor_.type = domain::ActorType::kAdmin; }
  void become(domain::ActorType type) { actor_.type = type; }

  bool throws = false;
  std::function<void()> on_deliver;  ///< what it does when it has got a frame
  int room_for = 1'000'000;          ///< frames it takes before it is no longer writable
  std::vector<std::string> heard;

 private:
  const Encoder& encoder_;
  domain::Actor actor_;
};

class HubTest : public ::testing::Test {
 protected:
  HubTest() : HubTest(HubOptions{}) {}
  explicit HubTest(HubOptions options) {
    auto owned = std::make_unique<ScriptedReads>(world);
    reads = owned.get();
    hub = std::make_shared<HubCore>(options, std::move(owned), wheel, clock, metrics);
  }

  void start() {
    hub->start();
    reads->settle();
  }
  /// Time for clock and wheel together.
  void pass(milliseconds by) {
    clock.pass(by);
    elapsed_ += by;
    wheel.advance(runtime::Wheel::Clock::time_point{} + elapsed_);
  }
  std::unique_ptr<Reader> reader(int number) { return std::make_unique<Reader>(encoder, user_id(number)); }
  void join(Reader& who, const domain::RoomTarget& target = kRoomTarget) {
    hub->join(who, target, [&who](core::Result<Joined> joined) {
      who.heard.push_back(joined ? "joined" : "refused " + std::string(core::reason_name(joined.error().reason)));
    });
  }
  void join_and_settle(Reader& who, const domain::RoomTarget& target = kRoomTarget) {
    join(who, target);
    reads->settle();
  }
  void tell(std::vector<SharedEvent> events) {
    domain::CommitNotice notice;
    for (auto& event : events) {
      if (notice.rooms.empty() || notice.rooms.back().room != event->room) notice.rooms.push_back({event->room, {}});
      notice.rooms.back().events.push_back(event);
    }
    notice.committed_at = std::chrono::steady_clock::now();
    hub->on_commit(notice);
  }
  using Heard = std::vector<std::string>;

  ManualClock clock;
  World world{clock};
  runtime::Wheel wheel{runtime::Wheel::Clock::time_point{}};
  telemetry::Metrics metrics;
  NumberEncoder encoder;
  ScriptedReads* reads = nullptr;
  std::shared_ptr<HubCore> hub;

 private:
  milliseconds elapsed_{0};
};

}  // namespace belfry::realtime::testing
