#include "belfry/domain/posts.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "unit/domain/fake_work.hpp"

namespace belfry::domain::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr ChannelId kChannel{1};
constexpr PostId kPost{5};

Attachment attachment(std::string name, std::int32_t order = 0) {
  Attachment attachment;
  attachment.storage_key = name;
  attachment.file_name = std::move(name);
  attachment.mime_type = "image/png";
  attachment.size_bytes = 3;
  attachment.display_order = order;
  return attachment;
}

CreatePost text_post(std::string body = "text") {
  CreatePost command;
  command.channel_id = kChannel;
  command.body_text = std::move(body);
  return command;
}

UpdatePost change() {
  UpdatePost command;
  command.id = kPost;
  return command;
}

std::uint32_t bits(std::initializer_list<PostField> fields) {
  std::uint32_t mask = 0;
  for (const auto field : fields) mask |= static_cast<std::uint32_t>(field);
  return mask;
}

class Posts : public ::testing::Test {
 protected:
  Posts() {
    work.add_channel(1);
    work.add_post(5, 1);
  }
  const FakeWork::Appended& only_event() {
    EXPECT_EQ(work.appended.size(), 1U);
    EXPECT_EQ(work.appended.at(0).room, posts_room(kChannel));
    return work.appended.at(0);
  }
  void expect_nothing_written() {
    EXPECT_THAT(work.appended, IsEmpty());
    EXPECT_THAT(work.audit_rows, IsEmpty());
    EXPECT_EQ(work.count("update"), 0U);
  }
  Post& stored() { return work.post_rows.at(kPost); }

  FakeWork work;
};

TEST_F(Posts, CreatedAtTheMomentOfTheLockWithItsEvent) {
  auto command = text_post();
  command.attachments = {attachment("b", 1), attachment("a", 0), attachment("c", 1)};
  const auto post = create_post(work, admin(), command);
  ASSERT_TRUE(post);
  EXPECT_EQ(post->published_at, work.clock);
  EXPECT_EQ(post->created_at, work.clock);
  EXPECT_EQ(post->created_by, admin().id);
  ASSERT_EQ(post->attachments.size(), 3U);
  EXPECT_EQ(post->attachments[0].file_name, "a");
  EXPECT_EQ(post->attachments[1].file_name, "b");
  EXPECT_EQ(post->attachments[2].file_name, "c");
  EXPECT_LT(post->attachments[1].id, post->attachments[2].id);
  EXPECT_EQ(only_event().draft.type, EventType::kPostCreated);
  EXPECT_EQ(only_event().draft.entity_id, post->id.value);
  EXPECT_EQ(std::get<PostPayload>(only_event().draft.payload).post.body_text, "text");
  EXPECT_EQ(work.audit_rows.at(0).action, "post.create");
  EXPECT_THAT(work.calls_before_lock(), IsEmpty());
}

TEST_F(Posts, NeedTheFieldOfTheirTypeBeforeAnythingIsLocked) {
  struct Case {
    const char* name;
    PostType type;
    const char* expected;
  };
  const Case cases[] = {{"text", PostType::kText, "VALIDATION_ERROR/bodyText"},
                        {"link", PostType::kLink, "VALIDATION_ERROR/linkUrl"},
                        {"chart", PostType::kChart, "VALIDATION_ERROR/chartPayloadJson"},
                        {"media", PostType::kMedia, "VALIDATION_ERROR/attachments"}};
  for (const auto& test : cases) {
    SCOPED_TRACE(test.name);
    CreatePost command;
    command.channel_id = ChannelId{99};
    command.type = test.type;
    EXPECT_EQ(verdict(create_post(work, admin(), command)), test.expected);
    EXPECT_EQ(work.count("lock"), 0U);
    auto update = change();
    update.type = test.type;
    update.body_text = std::optional<std::string>{};
    EXPECT_EQ(verdict(update_post(work, admin(), update)), test.expected);
    expect_nothing_written();
    work.next_job();
  }
}

TEST_F(Posts, MayNotBePublishedMoreThanFiveSecondsAhead) {
  auto command = text_post();
  command.published_at = at(5);
  EXPECT_EQ(verdict(create_post(work, admin(), command)), "ok");
  work.next_job();
  command.published_at = at(5) + std::chrono::milliseconds{1};
  EXPECT_EQ(verdict(create_post(work, admin(), command)), "VALIDATION_ERROR/publishedAt");
  work.next_job();
  auto update = change();
  update.published_at = at(6);
  EXPECT_EQ(verdict(update_post(work, admin(), update)), "VALIDATION_ERROR/publishedAt");
}

TEST_F(Posts, MayBePreparedInADraftButNotAddedToAnArchive) {
  work.channel_rows.at(kChannel).status = ChannelStatus::kDraft;
  EXPECT_EQ(verdict(create_post(work, admin(), text_post())), "ok");
  work.next_job();
  work.on_lock = [](FakeWork& w) { w.channel_rows.at(kChannel).status = ChannelStatus::kArchived; };
  EXPECT_EQ(verdict(create_post(work, admin(), text_post())), "CONFLICT/CHANNEL_ARCHIVED");
  expect_nothing_written();
}

TEST_F(Posts, NeedTheirChannel) {
  auto command = text_post();
  command.channel_id = ChannelId{99};
  EXPECT_EQ(verdict(create_post(work, admin(), command)), "NOT_FOUND");
}

TEST_F(Posts, ReplayTheAnswerOfAKeyEvenAfterTheArchive) {
  auto command = text_post();
  command.idempotency = IdempotencyKey{admin().id, "/posts", "k", "h"};
  const auto first = create_post(work, admin(), command);
  ASSERT_TRUE(first);
  work.next_job();
  work.channel_rows.at(kChannel).status = ChannelStatus::kArchived;
  const auto again = create_post(work, admin(), command);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->id, first->id);
  expect_nothing_written();
  work.next_job();
  command.idempotency->hash = "other";
  EXPECT_EQ(verdict(create_post(work, admin(), command)), "CONFLICT/IDEMPOTENCY_KEY_REUSED");
}

TEST_F(Posts, UpdateSaysExactlyWhatChanged) {
  auto command = change();
  command.type = PostType::kLink;
  command.body_text = std::optional<std::string>{"text"};
  command.link_url = std::optional<std::string>{"https://example.org"};
  const auto post = update_post(work, admin(), command);
  ASSERT_TRUE(post);
  EXPECT_EQ(post->updated_at, work.clock);
  EXPECT_EQ(only_event().draft.type, EventType::kPostUpdated);
  const auto& payload = std::get<PostPayload>(only_event().draft.payload);
  EXPECT_EQ(payload.changed, bits({PostField::kType, PostField::kLinkUrl}));
  EXPECT_EQ(payload.post.body_text, "text") << "the after-image is whole";
  EXPECT_EQ(work.audit_rows.at(0).details_json, R"({"changed":["type","linkUrl"]})");
}

TEST_F(Posts, UpdateKnowsEveryField) {
  auto command = change();
  command.type = PostType::kChart;
  command.body_text = std::optional<std::string>{};
  command.link_url = std::optional<std::string>{"https://example.org"};
  command.chart_payload_json = std::optional<std::string>{"{}"};
  command.attachments = std::vector{attachment("a")};
  command.published_at = at(1);
  ASSERT_TRUE(update_post(work, admin(), command));
  EXPECT_EQ(std::get<PostPayload>(only_event().draft.payload).changed,
            bits({PostField::kType, PostField::kBodyText, PostField::kLinkUrl, PostField::kChartPayloadJson,
                  PostField::kAttachments, PostField::kPublishedAt}));
}

TEST_F(Posts, UpdateToTheSameValuesChangesNothing) {
  stored().attachments = {attachment("a", 0), attachment("b", 1)};
  stored().attachments[0].id = AttachmentId{7};
  auto command = change();
  command.type = PostType::kText;
  command.body_text = std::optional<std::string>{"text"};
  command.link_url = std::optional<std::string>{};
  command.attachments = std::vector{attachment("b", 1), attachment("a", 0)};
  command.published_at = at(-500);
  const auto post = update_post(work, admin(), command);
  ASSERT_TRUE(post);
  EXPECT_EQ(post->updated_at, at(-500));
  EXPECT_EQ(post->attachments[0].id, AttachmentId{7});
  expect_nothing_written();
}

TEST_F(Posts, UpdateAndPinOfAPostDeletedBehindTheLookUpAreNotFound) {
  const auto delete_it = [](FakeWork& w) { w.post_rows.at(kPost).deleted_at = at(-1); };
  auto command = change();
  command.body_text = std::optional<std::string>{"new"};
  work.on_lock = delete_it;
  EXPECT_EQ(verdict(update_post(work, admin(), command)), "NOT_FOUND");
  EXPECT_THAT(work.calls_before_lock(), ElementsAre("posts.find"));
  work.next_job();
  EXPECT_EQ(verdict(pin_post(work, admin(), kPost, true)), "NOT_FOUND");
  expect_nothing_written();
}

TEST_F(Posts, PinAndUnpinEachOnce) {
  ASSERT_TRUE(pin_post(work, admin(), kPost, true));
  EXPECT_EQ(only_event().draft.type, EventType::kPostPinned);
  EXPECT_EQ(stored().pinned_at, work.clock);
  EXPECT_EQ(stored().updated_at, at(-500));
  work.next_job();
  ASSERT_TRUE(pin_post(work, admin(), kPost, true));
  expect_nothing_written();
  work.next_job();
  ASSERT_TRUE(pin_post(work, admin(), kPost, false));
  EXPECT_FALSE(std::get<PostPayload>(only_event().draft.payload).post.is_pinned);
  EXPECT_EQ(stored().pinned_at, std::nullopt);
  EXPECT_EQ(work.audit_rows.at(0).action, "post.unpin");
  work.next_job();
  ASSERT_TRUE(pin_post(work, admin(), kPost, false));
  expect_nothing_written();
}

TEST_F(Posts, DeleteAnswersWithATombstoneOnceAndForAll) {
  const auto post = delete_post(work, admin(), kPost);
  ASSERT_TRUE(post);
  EXPECT_EQ(post->deleted_at, work.clock);
  EXPECT_EQ(post->body_text, std::nullopt);
  EXPECT_EQ(stored().body_text, "text");
  EXPECT_EQ(only_event().draft.type, EventType::kPostDeleted);
  EXPECT_EQ(std::get<PostPayload>(only_event().draft.payload).post.body_text, std::nullopt);
  work.next_job();
  work.clock = at(9);
  const auto again = delete_post(work, admin(), kPost);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->deleted_at, at(0));
  EXPECT_EQ(again->body_text, std::nullopt);
  expect_nothing_written();
}

TEST_F(Posts, ReadersSeeTombstonesAndAdminsTheContent) {
  stored().deleted_at = at(-1);
  EXPECT_EQ(view_post(work, anonymous(), kPost)->body_text, std::nullopt);
  EXPECT_EQ(find_post(work, kPost)->body_text, "text");
  EXPECT_EQ(list_posts(work, anonymous(), {.channel_id = kChannel, .after = {}, .before = {}})->items.at(0).body_text,
            std::nullopt);
  EXPECT_EQ(list_posts_as_admin(work, {.channel_id = kChannel, .after = {}, .before = {}})->items.at(0).body_text,
            "text");
}

TEST_F(Posts, AreRefusedAsTheirChannelIs) {
  const ListPosts query{.channel_id = kChannel, .after = {}, .before = {}};
  auto& channel = work.channel_rows.at(kChannel);
  channel.access_policy = AccessPolicy::kExternalGated;
  channel.entitlement_key = "vip";
  EXPECT_EQ(verdict(list_posts(work, anonymous(), query)), "FORBIDDEN/LOGIN_REQUIRED");
  EXPECT_EQ(verdict(view_post(work, user(1), kPost)), "FORBIDDEN/ENTITLEMENT_REQUIRED");
  work.set_joined(user_id(1), 1);
  EXPECT_EQ(verdict(view_post(work, user(1), kPost)), "FORBIDDEN/CHANNEL_LOCKED");
  work.add_grant(user_id(1), GrantKind::kEntitlement, "vip", at(1));
  EXPECT_EQ(verdict(list_posts(work, user(1), query)), "ok");
  work.clock = at(1);
  EXPECT_EQ(verdict(list_posts(work, user(1), query)), "FORBIDDEN/CHANNEL_LOCKED");
  channel.status = ChannelStatus::kDraft;
  EXPECT_EQ(verdict(view_post(work, user(1), kPost)), "NOT_FOUND");
  EXPECT_EQ(view_post(work, user(1), kPost).error().message, "Post not found.");
}

}  // namespace
}  // namespace belfry::domain::testing
