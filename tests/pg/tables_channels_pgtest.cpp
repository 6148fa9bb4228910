// The channels table, and above all: who sees what in the list.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pg/harness.hpp"
#include "pg/rows.hpp"
#include "storage/tables/channels.hpp"
#include "storage/tables/memberships.hpp"
#include "storage/tables/posts.hpp"
#include "storage/tables/read_states.hpp"

namespace belfry::pgtest {
namespace {

using domain::AccessPolicy;
using domain::Channel;
using domain::ChannelId;
using domain::ChannelListItem;
using domain::ChannelStatus;
using domain::Visibility;
using testing::ElementsAre;
using testing::IsEmpty;

struct Tables {
  Transaction transaction;
  storage::PgChannels channels{transaction.session()};
  storage::PgPosts posts{transaction.session()};
  storage::PgMemberships memberships{transaction.session()};
  storage::PgReadStates read_states{transaction.session()};
};

enum class Caller { kAnonymous, kStranger, kHolder, kAdmin };
enum class Seen { kNo, kYes, kLocked };

struct VisibilityCase {
  const char* name;
  AccessPolicy policy;
  ChannelStatus status;
  Visibility visibility;
  Caller caller;
  bool joined;
  Seen seen;
};

constexpr auto kOpen = AccessPolicy::kOpen;
constexpr auto kGated = AccessPolicy::kExternalGated;
constexpr auto kDraft = ChannelStatus::kDraft;
constexpr auto kActive = ChannelStatus::kActive;
constexpr auto kArchived = ChannelStatus::kArchived;
constexpr auto kPublic = Visibility::kPublic;
constexpr auto kPrivate = Visibility::kPrivate;

const VisibilityCase kVisibility[] = {
    {"open, anonymous", kOpen, kActive, kPublic, Caller::kAnonymous, false, Seen::kYes},
    {"open, stranger", kOpen, kActive, kPublic, Caller::kStranger, false, Seen::kYes},
    {"open, joined", kOpen, kActive, kPublic, Caller::kStranger, true, Seen::kYes},
    {"open, admin", kOpen, kActive, kPublic, Caller::kAdmin, false, Seen::kYes},
    {"open draft, anonymous", kOpen, kDraft, kPublic, Caller::kAnonymous, false, Seen::kNo},
    {"open draft, joined", kOpen, kDraft, kPublic, Caller::kStranger, true, Seen::kNo},
    {"open draft, admin", kOpen, kDraft, kPublic, Caller::kAdmin, false, Seen::kNo},
    {"open archived, anonymous", kOpen, kArchived, kPublic, Caller::kAnonymous, false, Seen::kNo},
    {"open archived, stranger", kOpen, kArchived, kPublic, Caller::kStranger, false, Seen::kNo},
    {"open archived, admin", kOpen, kArchived, kPublic, Caller::kAdmin, false, Seen::kNo},
    {"open archived, joined", kOpen, kArchived, kPublic, Caller::kStranger, true, Seen::kYes},
    {"unlisted, anonymous", kOpen, kActive, kPrivate, Caller::kAnonymous, false, Seen::kNo},
    {"unlisted, stranger", kOpen, kActive, kPrivate, Caller::kStranger, false, Seen::kNo},
    {"unlisted, holder of another key", kOpen, kActive, kPrivate, Caller::kHolder, false, Seen::kNo},
    {"unlisted, joined", kOpen, kActive, kPrivate, Caller::kStranger, true, Seen::kYes},
    {"gated, anonymous", kGated, kActive, kPublic, Caller::kAnonymous, false, Seen::kNo},
    {"gated, stranger", kGated, kActive, kPublic, Caller::kStranger, false, Seen::kNo},
    {"gated, holder", kGated, kActive, kPublic, Caller::kHolder, false, Seen::kYes},
    {"gated, joined holder", kGated, kActive, kPublic, Caller::kHolder, true, Seen::kYes},
    {"gated, joined and lost", kGated, kActive, kPublic, Caller::kStranger, true, Seen::kLocked},
    {"gated, admin", kGated, kActive, kPublic, Caller::kAdmin, false, Seen::kYes},
    {"gated, joined admin", kGated, kActive, kPublic, Caller::kAdmin, true, Seen::kYes},
    {"gated private, stranger", kGated, kActive, kPrivate, Caller::kStranger, false, Seen::kNo},
    {"gated private, holder", kGated, kActive, kPrivate, Caller::kHolder, false, Seen::kYes},
    {"gated private, joined and lost", kGated, kActive, kPrivate, Caller::kStranger, true, Seen::kLocked},
    {"gated private, admin", kGated, kActive, kPrivate, Caller::kAdmin, false, Seen::kYes},
    {"gated archived, holder", kGated, kArchived, kPublic, Caller::kHolder, false, Seen::kNo},
    {"gated archived, joined holder", kGated, kArchived, kPublic, Caller::kHolder, true, Seen::kYes},
    {"gated archived, joined and lost", kGated, kArchived, kPublic, Caller::kStranger, true, Seen::kLocked},
    {"gated draft, joined holder", kGated, kDraft, kPublic, Caller::kHolder, true, Seen::kNo},
};

TEST(ListVisible, ShowsEachChannelToWhomItConcerns) {
  for (const auto& expected : kVisibility) {
    SCOPED_TRACE(expected.name);
    Tables tables;
    auto channel = expected.policy == kGated ? gated_channel("vip") : open_channel();
    channel.status = expected.status;
    channel.visibility = expected.visibility;
    channel.id = tables.channels.insert(channel);
    auto post = text_post(channel.id);
    tables.posts.insert(post);
    const auto user = any_user();
    if (expected.joined) tables.memberships.join(user, channel.id);

    domain::ChannelListQuery query;
    if (expected.caller != Caller::kAnonymous) query.user = user;
    if (expected.caller == Caller::kHolder) query.held_keys = {"other", "vip"};
    if (expected.caller == Caller::kStranger) query.held_keys = {"other"};
    query.holds_every_key = expected.caller == Caller::kAdmin;
    const auto items = tables.channels.list_visible(query);

    ASSERT_EQ(items.size(), expected.seen == Seen::kNo ? 0U : 1U);
    if (expected.seen == Seen::kNo) continue;
    EXPECT_EQ(items[0].channel.id, channel.id);
    EXPECT_EQ(items[0].joined, expected.joined);
    EXPECT_EQ(items[0].locked, expected.seen == Seen::kLocked);
    const bool counted = expected.seen == Seen::kYes && query.user;
    EXPECT_EQ(items[0].last_post_id, counted ? std::optional{post.id} : std::nullopt);
    EXPECT_EQ(items[0].unread_count, counted ? 1 : 0);
  }
}

TEST(ListVisible, LeavingMakesAStrangerAgain) {
  Tables tables;
  const auto user = any_user();
  const auto id = tables.channels.insert(gated_channel("vip"));
  tables.memberships.join(user, id);
  tables.memberships.leave(user, id);
  domain::ChannelListQuery query;
  query.user = user;
  EXPECT_THAT(tables.channels.list_visible(query), IsEmpty());
}

TEST(ListVisible, UnreadLeavesTombstonesAndSeenPostsOutAndLastPostDoesNot) {
  Tables tables;
  const auto user = any_user();
  const auto id = tables.channels.insert(open_channel());
  std::vector<domain::Post> posts;
  for (int i = 0; i < 5; ++i) tables.posts.insert(posts.emplace_back(text_post(id)));
  for (const int deleted : {2, 4}) {
    posts[deleted].deleted_at = at(2);
    tables.posts.update(posts[deleted], false);
  }
  tables.read_states.advance(user, id, posts[0].id);
  domain::ChannelListQuery query;
  query.user = user;
  const auto items = tables.channels.list_visible(query);
  ASSERT_EQ(items.size(), 1U);
  EXPECT_EQ(items[0].unread_count, 2);
  EXPECT_EQ(items[0].last_post_id, posts[4].id);
}

TEST(ListVisible, UnreadIsCappedAtOneThousand) {
  Tables tables;
  const auto id = tables.channels.insert(open_channel());
  tables.transaction.sql().exec(
      "INSERT INTO posts (channel_id, published_at, created_by, type, created_at, updated_at) SELECT " +
      std::to_string(id.value) + ", now(), gen_random_uuid(), 0, now(), now() FROM generate_series(1, 1001)");
  domain::ChannelListQuery query;
  query.user = any_user();
  EXPECT_EQ(tables.channels.list_visible(query).at(0).unread_count, 1000);
  EXPECT_EQ(tables.read_states.get(*query.user, id).unread_count, 1000);
}

TEST(ListVisible, AnEmptyChannelHasNoLastPost) {
  Tables tables;
  tables.channels.insert(open_channel());
  domain::ChannelListQuery query;
  query.user = any_user();
  const auto items = tables.channels.list_visible(query);
  ASSERT_EQ(items.size(), 1U);
  EXPECT_FALSE(items[0].last_post_id);
  EXPECT_EQ(items[0].unread_count, 0);
}

/// Reads page after page; `limit + 1` rows are given when there is more.
template <class List>
std::vector<ChannelId> walk(std::int32_t limit, List list) {
  std::vector<ChannelId> seen;
  std::optional<domain::PageCursor> before;
  for (;;) {
    std::vector<Channel> page = list(before, limit);
    const bool more = page.size() > static_cast<std::size_t>(limit);
    EXPECT_LE(page.size(), static_cast<std::size_t>(limit) + 1);
    if (more) page.resize(limit);
    for (const auto& channel : page) seen.push_back(channel.id);
    if (!more) return seen;
    before = domain::PageCursor{page.back().created_at, page.back().id};
  }
}

TEST(ChannelPages, NeitherSkipNorRepeatAtEqualTimes) {
  Tables tables;
  std::vector<ChannelId> expected;
  for (int i = 0; i < 12; ++i) expected.push_back(tables.channels.insert(open_channel(at(i / 6, 123))));
  std::ranges::reverse(expected);
  for (const int limit : {1, 2, 3, 5, 11, 12, 13}) {
    SCOPED_TRACE(limit);
    EXPECT_EQ(walk(limit, [&](const auto& before, int size) { return tables.channels.list_all(before, size); }),
              expected);
    EXPECT_EQ(walk(limit,
                   [&](const auto& before, int size) {
                     domain::ChannelListQuery query;
                     query.before = before;
                     query.limit = size;
                     std::vector<Channel> channels;
                     for (auto& item : tables.channels.list_visible(query)) channels.push_back(std::move(item.channel));
                     return channels;
                   }),
              expected);
  }
}

TEST(Channels, ComeBackAsTheyWereWritten) {
  Tables tables;
  auto channel = gated_channel("gold", at(7, 891));
  channel.kind = domain::ChannelKind::kGroup;
  channel.visibility = kPrivate;
  channel.title = R"(quote ' and " and \ and {braces}, NULL)";
  channel.description = "";
  channel.id = tables.channels.insert(channel);
  const auto found = tables.channels.find(channel.id);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->public_id, channel.public_id);
  EXPECT_EQ(found->kind, channel.kind);
  EXPECT_EQ(found->access_policy, channel.access_policy);
  EXPECT_EQ(found->status, channel.status);
  EXPECT_EQ(found->visibility, channel.visibility);
  EXPECT_EQ(found->title, channel.title);
  EXPECT_EQ(found->description, channel.description);
  EXPECT_EQ(found->entitlement_key, channel.entitlement_key);
  EXPECT_EQ(found->created_by, channel.created_by);
  EXPECT_EQ(found->created_at, channel.created_at);
  EXPECT_EQ(found->updated_at, channel.updated_at);
  EXPECT_FALSE(tables.channels.find({channel.id.value + 1}));
}

TEST(Channels, UpdateWritesWhatMayChange) {
  Tables tables;
  auto channel = gated_channel("gold");
  channel.id = tables.channels.insert(channel);
  channel.access_policy = kOpen;
  channel.entitlement_key.reset();
  channel.status = kArchived;
  channel.visibility = kPrivate;
  channel.title = "Renamed";
  channel.description = "about";
  channel.updated_at = at(9);
  tables.channels.update(channel);
  const auto found = tables.channels.find(channel.id).value();
  EXPECT_EQ(found.access_policy, kOpen);
  EXPECT_FALSE(found.entitlement_key);
  EXPECT_EQ(found.status, kArchived);
  EXPECT_EQ(found.visibility, kPrivate);
  EXPECT_EQ(found.title, "Renamed");
  EXPECT_EQ(found.description, "about");
  EXPECT_EQ(found.updated_at, at(9));
  EXPECT_EQ(found.created_at, at(0));
  channel.id.value += 1;
  EXPECT_THROW(tables.channels.update(channel), std::logic_error);
}

TEST(Channels, InsertMakesThePostsRoom) {
  Tables tables;
  const auto id = tables.channels.insert(open_channel());
  const auto rooms = tables.transaction.sql().exec("SELECT last_seq FROM room_log WHERE kind = 1 AND key = " +
                                                   std::to_string(id.value));
  ASSERT_EQ(rooms.size(), 1U);
  EXPECT_EQ(rooms[0][0].as<int>(), 0);
}

TEST(Channels, FindAllLeavesOutWhatIsMissing) {
  Tables tables;
  const auto first = tables.channels.insert(open_channel());
  const auto second = tables.channels.insert(open_channel());
  const std::vector<ChannelId> asked{second, {second.value + 100}, first, first};
  std::vector<ChannelId> found;
  for (const auto& channel : tables.channels.find_all(asked)) found.push_back(channel.id);
  EXPECT_THAT(found, ElementsAre(first, second));
  EXPECT_THAT(tables.channels.find_all({}), IsEmpty());
}

TEST(Channels, GatedKeysAreThoseOfChannelsThatAreNoDrafts) {
  Tables tables;
  tables.channels.insert(open_channel());
  tables.channels.insert(gated_channel("a"));
  tables.channels.insert(gated_channel("a"));
  auto archived = gated_channel("b");
  archived.status = kArchived;
  tables.channels.insert(archived);
  auto draft = gated_channel("c");
  draft.status = kDraft;
  tables.channels.insert(draft);
  EXPECT_THAT(tables.channels.gated_keys(), ElementsAre("a", "b"));
}

}  // namespace
}  // namespace belfry::pgtest
