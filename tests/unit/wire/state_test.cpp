#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <random>

#include "belfry/domain/messages.hpp"
#include "belfry/domain/posts.hpp"
#include "belfry/wire/events.hpp"
#include "belfry/wire/json.hpp"
#include "unit/domain/fake_work.hpp"

// A client that took a page and then follows the events shows what a fresh page would show.
namespace belfry::wire {
namespace {

using namespace domain::testing;
using domain::Event;
using domain::EventType;
using nlohmann::json;

constexpr domain::ChannelId kChannel{1};
constexpr const char* kFiles = "https://files.example";

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
    work_.add_channel(kChannel.value);
    work_.add_discussion(10, kChannel.value);
  }

  int pick(int below) { return static_cast<int>(random_() % static_cast<unsigned>(below)); }
  std::string words() { return "text " + std::to_string(random_()); }

  void post_action() {
    if (posts_.empty() || pick(4) == 0) {
      domain::CreatePost command;
      command.channel_id = kChannel;
      command.body_text = words();
      if (pick(3) == 0) command.attachments.push_back(file());
      return posts_.push_back(domain::create_post(work_, admin(), command).value().id);
    }
    const auto id = posts_[static_cast<std::size_t>(pick(static_cast<int>(posts_.size())))];
    const int what = pick(10);
    if (what < 2) return (void)domain::delete_post(work_, admin(), id);
    if (what < 5) return (void)domain::pin_post(work_, admin(), id, pick(2) == 0);
    domain::UpdatePost command;
    command.id = id;
    if (pick(2) == 0) command.body_text = words();
    if (pick(4) == 0) command.link_url = "https://example.org/" + std::to_string(pick(9));
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
      return messages_.push_back(domain::create_messages(work_, std::span(&command, 1)).at(0).value().message.id);
    }
    const auto id = messages_[static_cast<std::size_t>(pick(static_cast<int>(messages_.size())))];
    const int what = pick(10);
    if (what < 2) return (void)domain::edit_message(work_, author, id, words());
    if (what < 4) return (void)domain::edit_message_as_admin(work_, admin(), id, words());
    if (what < 6) return (void)domain::delete_message(work_, author, id);
    if (what < 7) return (void)domain::delete_message_as_admin(work_, admin(), id);
    (void)domain::restore_message(work_, admin(), id);
  }

  void act() {
    work_.clock += std::chrono::seconds{1};
    work_.next_job();
    pick(2) == 0 ? post_action() : message_action();
    for (const auto& appended : work_.appended) {
      Event event;
      event.room = appended.room;
      last_ = core::Uuid::v7_after(last_, work_.clock);
      event.id = core::EventId{*last_};
      event.seq = appended.seq;
      event.type = appended.draft.type;
      event.entity_id = appended.draft.entity_id;
      event.payload = decode_payload(event.type, domain::kPayloadSchema, encode_payload(appended.draft.payload));
      log_.push_back(event);
    }
  }

  /// Pages as a reader gets them.
  State fresh() {
    State state;
    work_.next_job();
    for (const auto& post :
         domain::list_posts(work_, user(1), {.channel_id = kChannel, .limit = 10000}).value().items) {
      const auto view = json::parse(encode_post(post, kFiles));
      state[view["id"].dump()] = view;
    }
    const auto page = domain::list_messages(work_, user(1), {.channel_id = kChannel, .limit = 10000}).value();
    for (const auto& message : page.items) {
      const auto view = json::parse(encode_message(message, MessageView::kFull));
      talk_[view["id"].dump()] = view;
    }
    return state;
  }

  /// A place in the story: what a page showed then, and how long the log was.
  struct Place {
    State posts;
    State talk;
    std::size_t position = 0;
  };
  Place here() {
    talk_.clear();
    auto posts = fresh();
    return {std::move(posts), std::exchange(talk_, {}), log_.size()};
  }

  bool deleted_now(const Event& event) const {
    if (event.room == domain::posts_room(kChannel)) return work_.post_rows.at({event.entity_id}).deleted();
    return work_.message_rows.at({event.entity_id}).deleted();
  }

  /// The events after a place, as they were sent when they happened or as they are read again now.
  Place followed(Place place, bool replayed) {
    for (std::size_t i = place.position; i < log_.size(); ++i) {
      Event event = log_[i];
      if (replayed && event.type != EventType::kPostDeleted && event.type != EventType::kPostPinned &&
          event.type != EventType::kMessageDeleted && deleted_now(event)) {
        mask_payload(event.type, event.payload);
        event.masked = true;
      }
      auto& state = event.room == domain::posts_room(kChannel) ? place.posts : place.talk;
      follow(state, json::parse(encode_envelope(event, kFiles)));
    }
    return place;
  }

  static domain::Attachment file() {
    domain::Attachment file;
    file.storage_key = "a/b.png";
    file.file_name = "b.png";
    file.mime_type = "image/png";
    file.size_bytes = 5;
    return file;
  }

  FakeWork work_;
  State talk_;
  std::mt19937 random_;
  std::optional<core::Uuid> last_;
  std::vector<domain::PostId> posts_;
  std::vector<domain::MessageId> messages_;
  std::vector<Event> log_;
};

TEST_P(StateTest, PageAndTheEventsAfterItAreThePageReadFresh) {
  std::vector<Place> places{here()};
  for (int i = 0; i < 150; ++i) {
    act();
    if (pick(10) == 0) places.push_back(here());
  }
  ASSERT_GT(log_.size(), 50U);
  const auto now = here();
  for (const auto& place : places) {
    for (const bool replayed : {false, true}) {
      const auto end = followed(place, replayed);
      EXPECT_EQ(json(end.posts), json(now.posts)) << "from " << place.position << (replayed ? ", replayed" : ", live");
      EXPECT_EQ(json(end.talk), json(now.talk)) << "from " << place.position << (replayed ? ", replayed" : ", live");
      if (HasFailure()) return;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, StateTest, ::testing::Range(1, 11));

}  // namespace
}  // namespace belfry::wire
