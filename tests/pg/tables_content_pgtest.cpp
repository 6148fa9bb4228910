// Posts, discussions, messages and read cursors.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "pg/harness.hpp"
#include "pg/rows.hpp"
#include "storage/tables/channels.hpp"
#include "storage/tables/messages.hpp"
#include "storage/tables/posts.hpp"
#include "storage/tables/read_states.hpp"
#include "storage/tables/threads.hpp"

namespace belfry::pgtest {
namespace {

using domain::ActorRef;
using domain::ActorType;
using domain::Message;
using domain::MessageId;
using domain::Post;
using domain::PostId;
using testing::ElementsAre;
using testing::IsEmpty;

struct Tables {
  Transaction transaction;
  storage::PgChannels channels{transaction.session()};
  storage::PgPosts posts{transaction.session()};
  storage::PgThreads threads{transaction.session()};
  storage::PgMessages messages{transaction.session()};
  storage::PgReadStates read_states{transaction.session()};

  domain::ChannelId channel() { return channels.insert(open_channel()); }
  domain::ThreadId thread() { return threads.insert(any_discussion(channel())); }
};

domain::Attachment file(std::string name, std::int32_t order) {
  return {.id = {},
          .storage_key = "k/" + name,
          .file_name = std::move(name),
          .mime_type = "image/png",
          .size_bytes = 5'000'000'000,
          .display_order = order};
}

std::vector<std::int64_t> ids(const auto& entities) {
  std::vector<std::int64_t> values;
  for (const auto& entity : entities) values.push_back(entity.id.value);
  return values;
}

std::vector<std::string> names(const std::vector<domain::Attachment>& files) {
  std::vector<std::string> found;
  for (const auto& attachment : files) found.push_back(attachment.file_name);
  return found;
}

TEST(Posts, ComeBackAsTheyWereWritten) {
  Tables tables;
  auto post = text_post(tables.channel(), "line one\nline \"two\" \\ 'three' \xF0\x9F\x98\x80");
  post.type = domain::PostType::kChart;
  post.link_url = "https://example.org/?a=1&b=2";
  post.chart_payload_json = R"({"z":1,"a":[1.50,"\u0000"],"a":2})";
  post.is_pinned = true;
  post.pinned_at = at(3, 7);
  post.published_at = at(2, 999);
  post.attachments = {file("late", 2), file("early", 1), file("also late", 2)};
  tables.posts.insert(post);
  EXPECT_THAT(names(post.attachments), ElementsAre("early", "late", "also late"));

  const auto found = tables.posts.find(post.id).value();
  EXPECT_EQ(found.channel_id, post.channel_id);
  EXPECT_EQ(found.published_at, post.published_at);
  EXPECT_EQ(found.created_by, post.created_by);
  EXPECT_EQ(found.type, post.type);
  EXPECT_EQ(found.body_text, post.body_text);
  EXPECT_EQ(found.link_url, post.link_url);
  EXPECT_EQ(found.chart_payload_json, post.chart_payload_json) << "a chart is returned as such";
  EXPECT_TRUE(found.is_pinned);
  EXPECT_EQ(found.pinned_at, post.pinned_at);
  EXPECT_FALSE(found.deleted());
  EXPECT_EQ(found.created_at, post.created_at);
  EXPECT_EQ(found.updated_at, post.updated_at);
  EXPECT_EQ(found.attachments, post.attachments);
  EXPECT_FALSE(tables.posts.find({post.id.value + 1}));
}

TEST(Posts, UpdateReplacesAttachmentsOnlyWhenAsked) {
  Tables tables;
  auto post = text_post(tables.channel());
  post.attachments = {file("one", 1)};
  tables.posts.insert(post);
  post.body_text = "edited";
  post.updated_at = at(5);
  post.attachments = {file("two", 2), file("three", 1)};
  tables.posts.update(post, false);
  EXPECT_THAT(names(tables.posts.find(post.id)->attachments), ElementsAre("one"));
  EXPECT_EQ(tables.posts.find(post.id)->body_text, "edited");
  tables.posts.update(post, true);
  EXPECT_EQ(tables.posts.find(post.id)->attachments, post.attachments);
  EXPECT_THAT(names(post.attachments), ElementsAre("three", "two"));
  post.attachments.clear();
  tables.posts.update(post, true);
  EXPECT_THAT(tables.posts.find(post.id)->attachments, IsEmpty());
  post.id.value += 1;
  EXPECT_THROW(tables.posts.update(post, false), std::logic_error);
}

struct PageCase {
  const char* name;
  std::optional<int> after;   ///< index of a post, -1: id 0
  std::optional<int> before;  ///< index of a post, 9: past the newest
  std::int32_t limit;
  bool pinned;
  std::vector<int> expected;  ///< indexes, one more than `limit` when there is more
};

const PageCase kPostPages[] = {
    {"newest page", {}, {}, 2, false, {4, 3, 2}},
    {"newest page, all", {}, {}, 5, false, {4, 3, 2, 1, 0}},
    {"from the oldest", -1, {}, 2, false, {0, 1, 2}},
    {"newer than one", 2, {}, 5, false, {3, 4}},
    {"newer than the newest", 4, {}, 5, false, {}},
    {"older than one", {}, 2, 5, false, {1, 0}},
    {"older than the oldest", {}, 0, 5, false, {}},
    {"older than what is to come", {}, 9, 1, false, {4, 3}},
    {"pinned, newest; a deleted one left out", {}, {}, 5, true, {4, 1}},
    {"pinned, from the oldest", -1, {}, 1, true, {1, 4}},
    {"pinned, newer", 1, {}, 5, true, {4}},
    {"pinned, older", {}, 4, 5, true, {1}},
};

TEST(PostPages, GoBothWays) {
  Tables tables;
  const auto channel = tables.channel();
  auto foreign = text_post(tables.channel());
  std::vector<Post> posts;
  for (int i = 0; i < 5; ++i) {
    auto post = text_post(channel);
    post.is_pinned = i == 1 || i == 3 || i == 4;
    if (post.is_pinned) post.pinned_at = at(2);
    if (i == 3) post.deleted_at = at(3);
    tables.posts.insert(posts.emplace_back(post));
    tables.posts.insert(foreign);
  }
  for (const auto& expected : kPostPages) {
    SCOPED_TRACE(expected.name);
    domain::PostPageQuery query{.channel_id = channel, .after = {}, .before = {}};
    if (expected.after) query.after = *expected.after < 0 ? PostId{0} : posts[*expected.after].id;
    if (expected.before)
      query.before = *expected.before > 4 ? PostId{posts[4].id.value + 9} : posts[*expected.before].id;
    query.limit = expected.limit;
    query.pinned_only = expected.pinned;
    std::vector<std::int64_t> wanted;
    for (const int index : expected.expected) wanted.push_back(posts[index].id.value);
    EXPECT_EQ(ids(tables.posts.page(query)), wanted);
  }
}

TEST(PostPages, MaskDeletedPostsUnlessAskedNotTo) {
  Tables tables;
  const auto channel = tables.channel();
  auto kept = text_post(channel, "kept");
  kept.attachments = {file("kept", 0)};
  tables.posts.insert(kept);
  auto deleted = text_post(channel, "secret");
  deleted.link_url = "https://secret";
  deleted.chart_payload_json = "{}";
  deleted.attachments = {file("secret", 0)};
  deleted.deleted_at = at(8);
  tables.posts.insert(deleted);

  domain::PostPageQuery query{.channel_id = channel, .after = {}, .before = {}};
  auto page = tables.posts.page(query);
  ASSERT_EQ(page.size(), 2U);
  EXPECT_EQ(page[0].deleted_at, at(8));
  EXPECT_FALSE(page[0].body_text || page[0].link_url || page[0].chart_payload_json);
  EXPECT_THAT(page[0].attachments, IsEmpty());
  EXPECT_EQ(page[1].body_text, "kept");
  EXPECT_THAT(names(page[1].attachments), ElementsAre("kept"));

  query.deleted_content = true;
  page = tables.posts.page(query);
  EXPECT_EQ(page[0].body_text, "secret");
  EXPECT_THAT(names(page[0].attachments), ElementsAre("secret"));
  EXPECT_EQ(tables.posts.find(deleted.id)->body_text, "secret");
}

TEST(Threads, ComeBackAsTheyWereWrittenAndHaveARoom) {
  Tables tables;
  auto discussion = any_discussion(tables.channel());
  discussion.required_feature_key = "chat";
  discussion.id = tables.threads.insert(discussion);
  const auto rooms = tables.transaction.sql().exec("SELECT FROM room_log WHERE kind = 2 AND key = " +
                                                   std::to_string(discussion.id.value));
  EXPECT_EQ(rooms.size(), 1U);
  auto found = tables.threads.find(discussion.id).value();
  EXPECT_EQ(found.public_id, discussion.public_id);
  EXPECT_EQ(found.channel_id, discussion.channel_id);
  EXPECT_EQ(found.title, "Talk");
  EXPECT_TRUE(found.is_enabled);
  EXPECT_EQ(found.required_feature_key, "chat");
  EXPECT_FALSE(found.slow_mode_enabled);
  EXPECT_FALSE(found.slow_mode_interval_seconds);
  EXPECT_EQ(found.created_by, discussion.created_by);

  found.title = "Quiet talk";
  found.is_enabled = false;
  found.required_feature_key.reset();
  found.slow_mode_enabled = true;
  found.slow_mode_interval_seconds = 30;
  found.updated_at = at(4);
  tables.threads.update(found);
  const auto again = tables.threads.find_by_channel(discussion.channel_id).value();
  EXPECT_EQ(again.id, discussion.id);
  EXPECT_EQ(again.title, "Quiet talk");
  EXPECT_FALSE(again.is_enabled);
  EXPECT_FALSE(again.required_feature_key);
  EXPECT_TRUE(again.slow_mode_enabled);
  EXPECT_EQ(again.slow_mode_interval_seconds, 30);
  EXPECT_EQ(again.updated_at, at(4));
}

TEST(Threads, BatchLookUpsLeaveOutWhatIsMissing) {
  Tables tables;
  const auto talked = tables.channel();
  const auto silent = tables.channel();
  const auto id = tables.threads.insert(any_discussion(talked));
  const std::vector channels{silent, talked};
  EXPECT_THAT(tables.threads.ids_by_channels(channels), ElementsAre(std::pair(talked, id)));
  EXPECT_THAT(tables.threads.ids_by_channels(channels), ElementsAre(std::pair(talked, id))) << "remembered";
  const std::vector threads{id, domain::ThreadId{id.value + 1}};
  EXPECT_THAT(ids(tables.threads.find_all(threads)), ElementsAre(id.value));
  EXPECT_FALSE(tables.threads.find_by_channel(silent));
}

TEST(Threads, AChannelHasOneDiscussion) {
  Tables tables;
  const auto channel = tables.channel();
  tables.threads.insert(any_discussion(channel));
  EXPECT_THROW(tables.threads.insert(any_discussion(channel)), pqxx::unique_violation);
}

TEST(Messages, ABatchGetsItsIdsInTheOrderGiven) {
  Tables tables;
  const auto first = tables.thread();
  const auto second = tables.thread();
  const auto author = as_user(any_user());
  std::vector<Message> batch;
  for (int i = 0; i < 40; ++i) batch.push_back(any_message(i % 3 == 0 ? second : first, author, std::to_string(i)));
  tables.messages.insert(batch);
  for (std::size_t i = 0; i < batch.size(); ++i) {
    if (i > 0) EXPECT_LT(batch[i - 1].id, batch[i].id);
    EXPECT_EQ(tables.messages.find(batch[i].id)->body, std::to_string(i));
  }
  tables.messages.insert({});
}

TEST(Messages, ComeBackAsTheyWereWritten) {
  Tables tables;
  const auto channel = tables.channel();
  const auto thread = tables.threads.insert(any_discussion(channel));
  std::vector<Message> batch{any_message(thread, {ActorType::kAdmin, any_user()}, R"({"a", \N, NULL} 'x')"),
                             any_message(thread, as_user(any_user()), "NULL")};
  batch[0].parent_id = MessageId{77};
  batch[0].author.username = "Ann \"A\" \\ O'Hara, {x}";
  batch[0].author.picture = "";
  batch[0].client_message_id = "c\"1\\";
  batch[0].created_at = at(3, 1);
  tables.messages.insert(batch);
  const auto found = tables.messages.find(batch[0].id).value();
  EXPECT_EQ(found.public_id, batch[0].public_id);
  EXPECT_EQ(found.thread_id, thread);
  EXPECT_EQ(found.channel_id, channel);
  EXPECT_EQ(found.parent_id, batch[0].parent_id);
  EXPECT_EQ(found.author, batch[0].author);
  EXPECT_EQ(found.body, batch[0].body);
  EXPECT_EQ(found.client_message_id, batch[0].client_message_id);
  EXPECT_EQ(found.created_at, at(3, 1));
  EXPECT_EQ(found.updated_at, at(1));
  EXPECT_FALSE(found.deleted() || found.deleted_by || found.edited_at || found.edited_by || found.masked);
  const auto plain = tables.messages.find(batch[1].id).value();
  EXPECT_EQ(plain.body, "NULL");
  EXPECT_FALSE(plain.parent_id || plain.author.username || plain.author.picture || plain.client_message_id);
  EXPECT_FALSE(tables.messages.find({batch[1].id.value + 1}));
}

TEST(Messages, UpdateWritesWhoEditedAndWhoDeleted) {
  Tables tables;
  Message message = any_message(tables.thread(), as_user(any_user()));
  tables.messages.insert({&message, 1});
  message.body = "edited";
  message.edited_at = at(4);
  message.edited_by = ActorRef{ActorType::kUser, any_user()};
  message.deleted_at = at(5);
  message.deleted_by = ActorRef{ActorType::kAdmin, any_user()};
  message.updated_at = at(5);
  tables.messages.update(message);
  auto found = tables.messages.find(message.id).value();
  EXPECT_EQ(found.body, "edited");
  EXPECT_EQ(found.edited_at, at(4));
  EXPECT_EQ(found.edited_by, message.edited_by);
  EXPECT_EQ(found.deleted_at, at(5));
  EXPECT_EQ(found.deleted_by, message.deleted_by);
  EXPECT_EQ(found.updated_at, at(5));

  found.mask();
  EXPECT_THROW(tables.messages.update(found), std::logic_error) << "a masked body must never be written back";
  message.deleted_at.reset();
  message.deleted_by.reset();
  tables.messages.update(message);
  EXPECT_FALSE(tables.messages.find(message.id)->deleted_by);
}

TEST(MessagePages, GoFromTheNewestBackAndMaskWhatIsDeleted) {
  Tables tables;
  const auto thread = tables.thread();
  std::vector<Message> batch;
  for (int i = 0; i < 5; ++i) batch.push_back(any_message(thread, as_user(any_user()), std::to_string(i)));
  tables.messages.insert(batch);
  Message foreign = any_message(tables.thread(), as_user(any_user()));
  tables.messages.insert({&foreign, 1});
  batch[3].deleted_at = at(6);
  tables.messages.update(batch[3]);

  domain::MessagePageQuery query{.thread_id = thread, .before = {}, .limit = 2};
  auto page = tables.messages.page(query);
  EXPECT_THAT(ids(page), ElementsAre(batch[4].id.value, batch[3].id.value, batch[2].id.value));
  EXPECT_TRUE(page[1].masked);
  EXPECT_EQ(page[1].body, "");
  EXPECT_FALSE(page[0].masked);
  query.before = batch[3].id;
  query.limit = 3;
  EXPECT_THAT(ids(tables.messages.page(query)), ElementsAre(batch[2].id.value, batch[1].id.value, batch[0].id.value));
  query.before = batch[4].id;
  query.deleted_content = true;
  EXPECT_EQ(tables.messages.page(query)[0].body, "3");
}

TEST(Messages, AreFoundByTheClientIdOfTheSameAuthorInTheSameThread) {
  Tables tables;
  const auto thread = tables.thread();
  const auto other = tables.thread();
  const auto author = as_user(any_user());
  const ActorRef same_id_as_admin{ActorType::kAdmin, author.id};
  Message message = any_message(thread, author);
  message.client_message_id = "x";
  tables.messages.insert({&message, 1});
  const std::vector<domain::ClientMessageKey> keys{
      {other, author, "x"}, {thread, same_id_as_admin, "x"}, {thread, as_user(any_user()), "x"}, {thread, author, "y"}};
  EXPECT_THAT(tables.messages.find_by_client_ids(keys), IsEmpty());
  const std::vector<domain::ClientMessageKey> twice{
      {thread, author, "x"}, {thread, author, "x"}, {thread, author, "z"}};
  EXPECT_THAT(ids(tables.messages.find_by_client_ids(twice)), ElementsAre(message.id.value));
  Message again = any_message(thread, author);
  again.client_message_id = "x";
  EXPECT_THROW(tables.messages.insert({&again, 1}), pqxx::unique_violation);
}

TEST(Messages, LastWrittenIsParallelAndCountsDeletedOnes) {
  Tables tables;
  const auto thread = tables.thread();
  const auto other = tables.thread();
  const auto ann = as_user(any_user());
  const auto bob = as_user(any_user());
  std::vector<Message> batch{any_message(thread, ann), any_message(thread, ann), any_message(other, ann),
                             any_message(thread, bob)};
  for (int i = 0; i < 4; ++i) batch[i].created_at = at(10 + i);
  tables.messages.insert(batch);
  batch[1].deleted_at = at(20);
  tables.messages.update(batch[1]);
  const std::vector<std::pair<domain::ThreadId, ActorRef>> asked{
      {other, bob}, {thread, ann}, {thread, bob}, {thread, {ActorType::kAdmin, ann.id}}, {other, ann}, {thread, ann}};
  EXPECT_THAT(tables.messages.last_written(asked),
              ElementsAre(std::nullopt, at(11), at(13), std::nullopt, at(12), at(11)));
  EXPECT_THAT(tables.messages.last_written({}), IsEmpty());
}

TEST(ReadStates, NeverWrittenIsZeroWithoutATime) {
  Tables tables;
  const auto channel = tables.channel();
  auto post = text_post(channel);
  tables.posts.insert(post);
  const auto state = tables.read_states.get(any_user(), channel);
  EXPECT_EQ(state.channel_id, channel);
  EXPECT_EQ(state.last_seen_post_id, PostId{0});
  EXPECT_FALSE(state.last_seen_at);
  EXPECT_EQ(state.unread_count, 1);
}

TEST(ReadStates, TheCursorMovesForwardOnlyAndNeverPastTheNewestPost) {
  Tables tables;
  const auto channel = tables.channel();
  const auto user = any_user();
  EXPECT_EQ(tables.read_states.advance(user, channel, {500}).last_seen_post_id, PostId{0}) << "an empty channel";
  EXPECT_TRUE(tables.read_states.get(user, channel).last_seen_at);
  std::vector<Post> posts;
  for (int i = 0; i < 4; ++i) tables.posts.insert(posts.emplace_back(text_post(channel)));
  auto foreign = text_post(tables.channel());
  tables.posts.insert(foreign);

  auto state = tables.read_states.advance(user, channel, posts[1].id);
  EXPECT_EQ(state.last_seen_post_id, posts[1].id);
  EXPECT_EQ(state.unread_count, 2);
  EXPECT_EQ(tables.read_states.advance(user, channel, posts[0].id).last_seen_post_id, posts[1].id);
  EXPECT_EQ(tables.read_states.advance(user, channel, {0}).last_seen_post_id, posts[1].id);
  EXPECT_EQ(tables.read_states.advance(user, channel, {INT64_MAX}).last_seen_post_id, posts[3].id)
      << "capped at this channel's newest, not at another's";
  state = tables.read_states.get(user, channel);
  EXPECT_EQ(state.last_seen_post_id, posts[3].id);
  EXPECT_EQ(state.unread_count, 0);
}

TEST(ReadStates, TheTimeStaysWhenTheCursorDoes) {
  Tables tables;
  const auto channel = tables.channel();
  const auto user = any_user();
  auto post = text_post(channel);
  tables.posts.insert(post);
  tables.read_states.advance(user, channel, post.id);
  tables.transaction.sql().exec("UPDATE read_states SET last_seen_at = '2020-01-01Z'");
  const auto before = tables.read_states.get(user, channel).last_seen_at;
  EXPECT_EQ(tables.read_states.advance(user, channel, post.id).last_seen_at, before);
  auto next = text_post(channel);
  tables.posts.insert(next);
  EXPECT_GT(tables.read_states.advance(user, channel, next.id).last_seen_at, before);
}

TEST(ReadStates, ParallelCallsEndAtTheGreatestAndNeverAnswerLessThanAsked) {
  domain::ChannelId channel;
  std::vector<Post> posts;
  {
    Tables tables;
    channel = tables.channel();
    for (int i = 0; i < 40; ++i) tables.posts.insert(posts.emplace_back(text_post(channel)));
    tables.transaction.commit();
  }
  const auto user = any_user();
  std::vector<std::jthread> threads;
  std::atomic<int> behind{0};
  for (std::size_t worker = 0; worker < 4; ++worker) {
    threads.emplace_back([&, worker] {
      for (std::size_t i = worker; i < posts.size(); i += 4) {
        const auto& seen = posts[(i * 17) % posts.size()];
        Transaction transaction;
        const auto state = storage::PgReadStates(transaction.session()).advance(user, channel, seen.id);
        if (state.last_seen_post_id < seen.id) ++behind;
        transaction.commit();
      }
    });
  }
  threads.clear();
  EXPECT_EQ(behind, 0);
  Tables tables;
  EXPECT_EQ(tables.read_states.get(user, channel).last_seen_post_id, posts.back().id);
}

}  // namespace
}  // namespace belfry::pgtest
