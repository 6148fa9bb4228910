#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <random>

#include "belfry/domain/messages.hpp"
#include "belfry/domain/moderation.hpp"
#include "belfry/domain/posts.hpp"
#include "belfry/domain/subjects.hpp"
#include "belfry/wire/events.hpp"
#include "belfry/wire/json.hpp"
#include "unit/domain/fake_work.hpp"

// A client that took a page and then follows the events shows what a fresh page would show, whoever it is: a user, an
// admin, somebody whose right comes and goes, somebody who is banned and let in again.
namespace belfry::wire {
namespace {

using namespace domain::testing;
using domain::Event;
using domain::EventType;
using nlohmann::json;

constexpr domain::ChannelId kChannel{1};
constexpr const char* kFiles = "https://files.example";
constexpr const char* kKey = "gold";
const domain::UserId kLapsed = user_id(2);
const domain::UserId kBanned = user_id(3);

/// What a client shows: entities by id, as a page has them.
using State = std::map<std::string, json>;

/// The rules of the protocol's documentation, as a client would write them.
void follow(State& state, const json& envelope) {
  const std::string full = envelope["eventType"];
  const std::string kind = full.substr(full.rfind('.') + 1);
  json data = envelope["data"];
  const json actor = data["actor"];
  data.erase("actor");
  const bool message = data.contains("discussionId");
  if (message) data.erase("channelId");
  const std::string id = data["id"].dump();
  if (kind == "created" || kind == "restored") {
    state[id] = data;
    return;
  }
  json& entity = state.at(id);
  entity.update(data);
  const bool admin = actor["type"] == "ADMIN";
  if (message && kind == "updated") {
    entity["editedByUserId"] = admin ? json() : actor["id"];
    entity["editedByAdminId"] = admin ? actor["id"] : json();
  }
  if (kind != "deleted") return;
  if (message) {
    entity["body"] = nullptr;
    entity["deletedByAdminId"] = admin ? actor["id"] : json();
  } else {
    for (const auto* content : {"bodyText", "linkUrl", "chartPayloadJson"}) entity[content] = nullptr;
    entity["attachments"] = json::array();
  }
}

class StateTest : public ::testing::TestWithParam<int> {
 protected:
  StateTest() : random_(static_cast<unsigned>(GetParam())) {
    work_.add_channel(kChannel.value, domain::ChannelStatus::kActive, kKey);
    work_.add_discussion(10, kChannel.value);
    for (const auto user : {user_id(1), kLapsed, kBanned}) work_.add_grant(user, domain::GrantKind::kEntitlement, kKey);
  }

  int pick(int below) { return static_cast<int>(random_() % static_cast<unsigned>(below)); }
  std::string words() { return "text " + std::to_string(random_()); }

  domain::CreatePost new_post() {
    domain::CreatePost command;
    command.channel_id = kChannel;
    command.type = static_cast<domain::PostType>(pick(4));
    if (command.type == domain::PostType::kText || pick(3) == 0) command.body_text = words();
    if (command.type == domain::PostType::kLink) command.link_url = "https://example.org/new";
    if (command.type == domain::PostType::kChart) command.chart_payload_json = chart();
    if (command.type == domain::PostType::kMedia || pick(3) == 0) command.attachments.push_back(file());
    return command;
  }
  std::string chart() { return R"({"b":)" + std::to_string(pick(9)) + R"(,"a":[1.50]})"; }

  void post_action() {
    if (posts_.empty() || pick(4) == 0) {
      const auto made = domain::create_post(work_, admin(), new_post());
      return posts_.push_back(made.value().id);
    }
    const auto id = posts_[static_cast<std::size_t>(pick(static_cast<int>(posts_.size())))];
    const int what = pick(10);
    if (what < 2) return (void)domain::delete_post(work_, admin(), id);
    if (what < 5) return (void)domain::pin_post(work_, admin(), id, pick(2) == 0);
    domain::UpdatePost command;
    command.id = id;
    if (pick(2) == 0) command.body_text = words();
    if (pick(4) == 0) command.link_url = "https://example.org/" + std::to_string(pick(9));
    if (pick(4) == 0) command.chart_payload_json = chart();
    if (pick(4) == 0) command.published_at = work_.clock - std::chrono::seconds{pick(1000)};
    if (pick(4) == 0) command.attachments = std::vector<domain::Attachment>{file()};
    (void)domain::update_post(work_, admin(), command);
  }

  void message_action() {
    const auto author = user(static_cast<std::uint8_t>(1 + pick(3)));
    if (messages_.empty() || pick(4) == 0) {
      const domain::CreateMessage command{
          .actor = author, .channel_id = kChannel, .body = words(), .client_message_id = {}, .idempotency = {}};
      work_.user_rows[author.id] = {.id = author.id, .username = "name " + std::to_string(pick(100)), .picture = {}};
      const auto made = domain::create_messages(work_, std::span(&command, 1)).at(0);
      if (made) messages_.push_back(made->message.id);
      return;
    }
    const auto id = messages_[static_cast<std::size_t>(pick(static_cast<int>(messages_.size())))];
    const int what = pick(10);
    if (what < 2) return (void)domain::edit_message(work_, author, id, words());
    if (what < 4) return (void)domain::edit_message_as_admin(work_, admin(), id, words());
    if (what < 6) return (void)domain::delete_message(work_, author, id);
    if (what < 7) return (void)domain::delete_message_as_admin(work_, admin(), id);
    (void)domain::restore_message(work_, admin(), id);
  }

  void rights_action() {
    if (pick(2) == 0) {
      const domain::Grant grant{domain::GrantKind::kEntitlement, kKey, {}, {}};
      if (pick(2) == 0) return (void)domain::set_grant(work_, admin(), kLapsed, grant).value();
      return (void)domain::revoke_grant(work_, admin(), kLapsed, grant.kind, grant.key).value();
    }
    if (pick(2) == 0) return domain::lift_sanction(work_, admin(), kBan, kChannel, kBanned).value();
    (void)domain::set_sanction(work_, admin(),
                               {.kind = kBan, .channel_id = kChannel, .user_id = kBanned, .reason = {}, .until = {}})
        .value();
  }

  template <class Action>
  void run(Action action) {
    work_.clock += std::chrono::seconds{1};
    work_.next_job();
    action();
    log();
  }
  void give_everything_back() {
    run([&] { domain::lift_sanction(work_, admin(), kBan, kChannel, kBanned).value(); });
    run([&] {
      (void)domain::set_grant(work_, admin(), kLapsed, {domain::GrantKind::kEntitlement, kKey, {}, {}}).value();
    });
  }

  void act() {
    const int what = pick(10);
    run([&] { what == 0 ? rights_action() : what < 5 ? post_action() : message_action(); });
  }

  /// What clients can see of what was appended.
  void log() {
    for (const auto& appended : work_.appended) {
      Event event;
      event.room = appended.room;
      last_ = core::Uuid::v7_after(last_, work_.clock);
      event.id = core::EventId{*last_};
      event.seq = appended.seq;
      event.type = appended.draft.type;
      event.entity_id = appended.draft.entity_id;
      event.payload = decode_payload(event.type, domain::kPayloadSchema, encode_payload(appended.draft.payload));
      if (event.visible()) log_.push_back(event);
    }
  }

  /// Both rooms as a reader gets them; nothing of a room that it may not read.
  struct Place {
    std::optional<State> posts;
    std::optional<State> talk;
    std::size_t position = 0;  ///< how long the log was
  };
  Place here(const domain::Actor& reader) {
    Place place;
    place.position = log_.size();
    work_.next_job();
    if (const auto page = domain::list_posts(work_, reader, {.channel_id = kChannel, .limit = 10000})) {
      place.posts.emplace();
      for (const auto& post : page->items) keep(*place.posts, encode_post(post, kFiles));
    }
    if (const auto page = domain::list_messages(work_, reader, {.channel_id = kChannel, .limit = 10000})) {
      place.talk.emplace();
      for (const auto& message : page->items) keep(*place.talk, encode_message(message, MessageView::kFull));
    }
    return place;
  }
  static void keep(State& state, const std::string& text) {
    const auto view = json::parse(text);
    state[view["id"].dump()] = view;
  }

  bool deleted_now(const Event& event) const {
    if (event.room == domain::posts_room(kChannel)) return work_.post_rows.at({event.entity_id}).deleted();
    return work_.message_rows.at({event.entity_id}).deleted();
  }

  /// The log as it was sent when it happened, or as it is read again now.
  std::vector<json> told(bool replayed) const {
    std::vector<json> envelopes;
    for (Event event : log_) {
      if (replayed && event.type != EventType::kPostDeleted && event.type != EventType::kPostPinned &&
          event.type != EventType::kMessageDeleted && deleted_now(event)) {
        mask_payload(event.type, event.payload);
        event.masked = true;
      }
      envelopes.push_back(json::parse(encode_envelope(event, kFiles)));
    }
    return envelopes;
  }

  /// The events after a place.
  Place followed(Place place, std::size_t to, const std::vector<json>& envelopes) {
    for (std::size_t i = place.position; i < to; ++i) {
      auto& state = log_[i].room == domain::posts_room(kChannel) ? place.posts : place.talk;
      if (state) follow(*state, envelopes[i]);
    }
    return place;
  }

  /// Room by room, where both are known.
  static void expect_same(const Place& followed, const Place& fresh, const std::string& what) {
    if (followed.posts && fresh.posts) {
      EXPECT_EQ(json(*followed.posts), json(*fresh.posts)) << what;
    }
    if (followed.talk && fresh.talk) {
      EXPECT_EQ(json(*followed.talk), json(*fresh.talk)) << what;
    }
  }

  static domain::Attachment file() {
    domain::Attachment file;
    file.storage_key = "a/b.png";
    file.file_name = "b.png";
    file.mime_type = "image/png";
    file.size_bytes = 5;
    return file;
  }

  static constexpr auto kBan = domain::SanctionKind::kBan;

  FakeWork work_;
  std::mt19937 random_;
  std::optional<core::Uuid> last_;
  std::vector<domain::PostId> posts_;
  std::vector<domain::MessageId> messages_;
  std::vector<Event> log_;
};

struct Reader {
  const char* name;
  domain::Actor actor;
  std::size_t without = 0;  ///< places at which a room was closed to it
};

TEST_P(StateTest, PageAndTheEventsAfterItAreThePageReadFresh) {
  std::vector<Reader> readers{{"user", user(1)}, {"admin", admin()}, {"lapsed", user(2)}, {"banned", user(3)}};
  std::vector<std::vector<Place>> places(readers.size());
  const auto look = [&] {
    for (std::size_t i = 0; i < readers.size(); ++i) {
      places[i].push_back(here(readers[i].actor));
      if (!places[i].back().posts || !places[i].back().talk) ++readers[i].without;
    }
  };
  look();
  for (int i = 0; i < 150; ++i) {
    act();
    if (pick(10) == 0) look();
  }
  EXPECT_GT(readers[2].without + readers[3].without, 0U) << "nobody ever lost anything";
  EXPECT_EQ(readers[0].without + readers[1].without, 0U);
  give_everything_back();
  ASSERT_GT(log_.size(), 50U);
  const auto live = told(false);
  const auto replayed = told(true);
  for (std::size_t i = 0; i < readers.size(); ++i) {
    const auto now = here(readers[i].actor);
    ASSERT_TRUE(now.posts && now.talk);
    for (std::size_t at = 0; at < places[i].size(); ++at) {
      const auto& place = places[i][at];
      const std::string from = std::string(readers[i].name) + " from " + std::to_string(place.position);
      expect_same(followed(place, log_.size(), live), now, from + ", live");
      expect_same(followed(place, log_.size(), replayed), now, from + ", replayed");
      // To the next one as well: what is held when a right is lost is what the room showed then.
      const auto& next = at + 1 < places[i].size() ? places[i][at + 1] : now;
      expect_same(followed(place, next.position, live), next, from + " to " + std::to_string(next.position));
      if (HasFailure()) return;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, StateTest, ::testing::Range(1, 11));

}  // namespace
}  // namespace belfry::wire
