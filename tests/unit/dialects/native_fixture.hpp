#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "belfry/dialects/native.hpp"
#include "belfry/realtime/room_reader.hpp"
#include "unit/dialects/unused_repositories.hpp"
#include "unit/domain/places_by_parts.hpp"

/// The dialect over the real hub and the real domain, with tables in memory and a database whose jobs wait for the
/// test.
namespace belfry::dialects::testing {

using domain::RoomKey;
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::AnyOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class ManualClock final : public core::Clock {
 public:
  core::TimePoint now() const override { return now_; }
  void pass(milliseconds by) { now_ += by; }

 private:
  core::TimePoint now_{milliseconds{1'700'000'000'000}};
};

inline core::UserId user_id(int number) {
  core::UserId id;
  id.value.bytes[0] = 1;
  id.value.bytes[15] = static_cast<std::uint8_t>(number);
  return id;
}

/// Channels 1..999 exist and are open, but 8 needs "vip"; channel 7 has discussion 9.
class FakeWork final : public domain::UnitOfWork,
                       domain::testing::NoChannelRepository,
                       domain::testing::NoThreadRepository,
                       domain::testing::NoMembershipRepository,
                       domain::testing::NoGrantRepository,
                       domain::testing::NoSanctionRepository,
                       domain::testing::NoTicketRepository,
                       domain::testing::NoLogRepository {
 public:
  explicit FakeWork(const core::Clock& clock) : clock_(clock) {}

  std::map<RoomKey, std::vector<domain::SharedEvent>> logs{{domain::kAccessLog, {}}};
  std::map<std::string, domain::Ticket> tickets_left;
  std::set<core::UserId> vips;
  std::optional<core::TimePoint> vips_until;
  std::set<core::UserId> banned;
  std::map<std::string, std::string, std::less<>> node_keys;

  domain::SharedEvent append(const RoomKey& room, domain::EventType type, domain::EventPayload payload) {
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
    return event;
  }

  core::TimePoint now() override { return clock_.now(); }
  core::Result<void> lock(std::span<const RoomKey>) override { domain::testing::unused(); }
  void adopt(const RoomKey&) override { domain::testing::unused(); }
  core::EventId append(const RoomKey&, domain::EventDraft) override { domain::testing::unused(); }
  std::int64_t next_seq(const RoomKey&) override { domain::testing::unused(); }
  std::vector<domain::RoomPlace> places(std::span<const RoomKey> rooms) override {
    return domain::testing::places_by_parts(*this, rooms);
  }
  std::optional<std::string> node_key(std::string_view purpose) override {
    const auto found = node_keys.find(purpose);
    return found == node_keys.end() ? std::nullopt : std::optional(found->second);
  }
  domain::ChannelRepository& channels() override { return *this; }
  domain::PostRepository& posts() override { domain::testing::unused(); }
  domain::ThreadRepository& threads() override { return *this; }
  domain::MessageRepository& messages() override { domain::testing::unused(); }
  domain::MembershipRepository& memberships() override { return *this; }
  domain::ReadStateRepository& read_states() override { domain::testing::unused(); }
  domain::GrantRepository& grants() override { return *this; }
  domain::SanctionRepository& sanctions() override { return *this; }
  domain::UserRepository& users() override { domain::testing::unused(); }
  domain::TicketRepository& tickets() override { return *this; }
  domain::AuditRepository& audit() override { domain::testing::unused(); }
  domain::IdempotencyRepository& idempotency() override { domain::testing::unused(); }
  domain::LogRepository& log() override { return *this; }

  using NoThreadRepository::find_all;
  std::optional<domain::Channel> find(core::ChannelId id) override {
    if (id.value > 999) return std::nullopt;
    domain::Channel channel;
    channel.id = id;
    channel.status = domain::ChannelStatus::kActive;
    if (id.value == 8) {
      channel.access_policy = domain::AccessPolicy::kExternalGated;
      channel.entitlement_key = "vip";
    }
    return channel;
  }
  std::vector<domain::Channel> find_all(std::span<const core::ChannelId> ids) override {
    std::vector<domain::Channel> found;
    for (const auto id : ids) {
      if (auto channel = find(id)) found.push_back(*channel);
    }
    return found;
  }
  std::optional<domain::Discussion> find(core::ThreadId id) override {
    if (id.value != 9) return std::nullopt;
    domain::Discussion discussion;
    discussion.id = id;
    discussion.channel_id = {7};
    return discussion;
  }
  std::optional<domain::Discussion> find_by_channel(core::ChannelId channel) override {
    return channel.value == 7 ? find(core::ThreadId{9}) : std::nullopt;
  }
  domain::Membership current(core::UserId, core::ChannelId channel) override {
    domain::Membership none;
    none.channel_id = channel;
    return none;
  }
  std::vector<std::optional<domain::Grant>> current(std::span<const domain::GrantQuestion> questions,
                                                    core::TimePoint) override {
    std::vector<std::optional<domain::Grant>> grants;
    for (const auto& question : questions) {
      grants.emplace_back();
      if (!vips.contains(question.user)) continue;
      grants.back().emplace();
      grants.back()->key = question.key;
      grants.back()->valid_until = vips_until;
    }
    return grants;
  }
  std::vector<domain::SanctionAnswer> current(std::span<const domain::SanctionQuestion> questions,
                                              core::TimePoint) override {
    std::vector<domain::SanctionAnswer> answers(questions.size());
    for (std::size_t i = 0; i < questions.size(); ++i) {
      if (banned.contains(questions[i].user)) answers[i].ban.emplace();
    }
    return answers;
  }
  std::optional<domain::Ticket> redeem(std::string_view hash, core::TimePoint now) override {
    auto ticket = tickets_left.extract(std::string(hash));
    if (ticket.empty() || ticket.mapped().expires_at <= now) return std::nullopt;
    return ticket.mapped();
  }

  std::optional<domain::RoomHead> head(const RoomKey& room) override {
    domain::RoomHead head;
    head.room = room;
    if (const auto& log = logs[room]; !log.empty()) {
      head.last_seq = log.back()->seq;
      head.last_id = log.back()->id;
      head.last_visible_id = log.back()->visible() ? log.back()->id : log.back()->prev_visible_id;
    }
    return head;
  }
  std::vector<domain::RoomHead> heads(std::span<const RoomKey> rooms) override {
    std::vector<domain::RoomHead> found;
    for (const auto& room : rooms) found.push_back(*head(room));
    return found;
  }
  domain::HeadsNow heads_now(std::span<const RoomKey> rooms) override {
    domain::HeadsNow answer;
    answer.rooms = heads(rooms);
    answer.access_seq = static_cast<std::int64_t>(logs[domain::kAccessLog].size());
    answer.now = clock_.now();
    return answer;
  }
  domain::LogPage page(const domain::LogPageQuery& query) override {
    domain::LogPage page;
    page.head = *head(query.room);
    bool after = !query.since;
    for (const auto& event : logs[query.room]) {
      if (after && (query.control_records || event->visible())) {
        if (static_cast<std::int32_t>(page.events.size()) == query.limit) {
          page.has_more = true;
          break;
        }
        page.events.push_back(event);
      }
      after = after || event->id == *query.since;
    }
    if (!after) page.gap = domain::Gap::kUnknownEvent;
    return page;
  }
  domain::JournalPage journal_since(std::uint64_t) override { return {.heads = {}, .next_xid = 1}; }

 private:
  const core::Clock& clock_;
};

/// Runs jobs one by one when the test says so.
class FakeDatabase final : public domain::Database {
 public:
  explicit FakeDatabase(FakeWork& work) : work_(work) {}
  void submit(domain::JobMode mode, domain::JobOptions options, Body body, Done done) override {
    modes.emplace_back(options.name, mode);
    jobs_.push_back({std::move(body), std::move(done)});
  }
  void create_message(domain::CreateMessage, domain::JobOptions, MessageDone) override { domain::testing::unused(); }
  void settle() {
    while (!jobs_.empty()) {
      auto job = std::move(jobs_.front());
      jobs_.pop_front();
      job.done(away ? core::fail(core::Error::unavailable("away")) : job.body(work_));
    }
  }
  std::size_t waiting() const { return jobs_.size(); }

  bool away = false;
  std::vector<std::pair<std::string, domain::JobMode>> modes;

 private:
  struct Job {
    Body body;
    Done done;
  };
  FakeWork& work_;
  std::deque<Job> jobs_;
};

/// Knows tokens by heart; `later` keeps the answer until the test gives it.
class FakeAuthenticator final : public auth::Authenticator {
 public:
  explicit FakeAuthenticator(const core::Clock& clock) : clock_(clock) {}
  void verify(std::string_view token, auth::Leeway leeway,
              std::move_only_function<void(core::Result<auth::Identity>)> done) override {
    leeways.push_back(leeway);
    core::Result<auth::Identity> answer =
        core::fail(core::Error::unauthorized(core::Reason::kTokenInvalid, "The token is not valid."));
    if (const auto known = tokens.find(std::string(token)); known != tokens.end()) answer = known->second;
    if (!later) return done(std::move(answer));
    owed = [answer = std::move(answer), done = std::move(done)]() mutable { done(std::move(answer)); };
  }
  void know(const std::string& token, int user, seconds lives, bool admin = false) {
    auth::Identity identity;
    identity.actor.type = admin ? domain::ActorType::kAdmin : domain::ActorType::kUser;
    identity.actor.id = user_id(user);
    identity.expires_at = clock_.now() + lives;
    tokens[token] = identity;
  }

  std::map<std::string, auth::Identity> tokens;
  std::vector<auth::Leeway> leeways;
  bool later = false;
  std::move_only_function<void()> owed;

 private:
  const core::Clock& clock_;
};

class FakeSink final : public FrameSink {
 public:
  void send(const realtime::SharedFrame& frame) override {
    if (throws) throw std::runtime_error("the carrier is broken");
    if (!closed) sent.emplace_back(frame->text());
  }
  bool offer(const realtime::SharedFrame& frame) override {
    if (takes) send(frame);
    return takes;
  }
  bool offer(const realtime::SharedFrame&, std::span<const std::string_view>) override {
    ADD_FAILURE() << "the dialect's frames are all body";
    return false;
  }
  void send_binary(std::string_view) override { ADD_FAILURE() << "the dialect speaks text only"; }
  bool writable() const override { return takes; }
  void close(CloseCode code, std::string_view) override {
    EXPECT_FALSE(closed) << "closed twice";
    closed = code;
  }
  std::vector<std::string> take() { return std::exchange(sent, {}); }

  std::vector<std::string> sent;
  std::optional<CloseCode> closed;
  bool takes = true;
  bool throws = false;
};

class NativeTest : public ::testing::Test {
 protected:
  NativeTest() {
    hub.start();
    database.settle();
    authenticator.know("one", 1, seconds{3600});
    authenticator.know("two", 2, seconds{3600});
  }

  /// A socket, opened with a token's identity or without one.
  struct Socket {
    FakeSink sink;
    std::unique_ptr<Session> session;
    int dones = 0;
  };
  std::unique_ptr<Socket> open(std::optional<std::string> token = "one") {
    auto socket = std::make_unique<Socket>();
    Handshake handshake{.query = {}, .authorization = {}, .origin = {}};
    if (token) handshake.authorization = "Bearer " + *token;
    dialect->authorize(handshake, [&](core::Result<std::unique_ptr<Entrance>> entrance) {
      socket->session = entrance.value()->open(socket->sink);
    });
    return socket;
  }
  /// One text, and what it was answered.
  std::vector<std::string> say(Socket& socket, std::string_view text) {
    socket.session->on_text(text, [&socket] { ++socket.dones; });
    database.settle();
    return socket.sink.take();
  }
  void pass(milliseconds by) {
    clock.pass(by);
    elapsed_ += by;
    wheel.advance(runtime::Wheel::Clock::time_point{} + elapsed_);
    database.settle();
  }
  domain::SharedEvent post_event(std::int64_t channel) {
    domain::PostPayload payload;
    payload.post.id = {4711};
    payload.post.channel_id = {channel};
    payload.post.body_text = "hello";
    return work.append(domain::posts_room({channel}), domain::EventType::kPostCreated, payload);
  }
  void tell(const domain::SharedEvent& event) {
    domain::CommitNotice notice;
    notice.rooms.push_back({event->room, {event}});
    notice.committed_at = std::chrono::steady_clock::now();
    hub.on_commit(notice);
  }

  ManualClock clock;
  runtime::Wheel wheel{runtime::Wheel::Clock::time_point{}};
  telemetry::Metrics metrics;
  FakeWork work{clock};
  FakeDatabase database{work};
  FakeAuthenticator authenticator{clock};
  realtime::Hub hub{realtime::HubOptions{.recheck_interval = seconds{0}}, database, wheel, clock, metrics};
  std::unique_ptr<realtime::CachedRoomReader> reader = realtime::make_room_reader({}, database, hub, clock, metrics);
  std::unique_ptr<Dialect> dialect = make_native_dialect(NativeOptions{.attachment_url_base = {}}, hub, *reader,
                                                         database, authenticator, wheel, clock, metrics);

 private:
  milliseconds elapsed_{0};
};

}  // namespace belfry::dialects::testing
