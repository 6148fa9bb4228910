#pragma once

#include <stdexcept>

#include "belfry/domain/unit_of_work.hpp"

/// Every repository, refusing every call: a fake overrides what its test needs, and the rest says so when it is
/// touched.
namespace belfry::domain::testing {

[[noreturn]] inline void unused() { throw std::logic_error("a repository that this test does not have was used"); }

class NoChannelRepository : public ChannelRepository {
 public:
  std::optional<Channel> find(ChannelId) override { unused(); }
  std::vector<Channel> find_all(std::span<const ChannelId>) override { unused(); }
  ChannelId insert(const Channel&) override { unused(); }
  void update(const Channel&) override { unused(); }
  std::vector<ChannelListItem> list_visible(const ChannelListQuery&) override { unused(); }
  std::vector<Channel> list_all(const std::optional<PageCursor>&, std::int32_t) override { unused(); }
  std::vector<std::string> gated_keys() override { unused(); }
};

class NoPostRepository : public PostRepository {
 public:
  std::optional<Post> find(PostId) override { unused(); }
  std::vector<Post> page(const PostPageQuery&) override { unused(); }
  void insert(Post&) override { unused(); }
  void update(Post&, bool) override { unused(); }
};

class NoThreadRepository : public ThreadRepository {
 public:
  std::optional<Discussion> find(ThreadId) override { unused(); }
  std::optional<Discussion> find_by_channel(ChannelId) override { unused(); }
  std::vector<std::pair<ChannelId, ThreadId>> ids_by_channels(std::span<const ChannelId>) override { unused(); }
  ThreadId insert(const Discussion&) override { unused(); }
  void update(const Discussion&) override { unused(); }
};

class NoMessageRepository : public MessageRepository {
 public:
  std::optional<Message> find(MessageId) override { unused(); }
  std::vector<Message> page(const MessagePageQuery&) override { unused(); }
  std::vector<Message> find_by_client_ids(std::span<const ClientMessageKey>) override { unused(); }
  std::vector<std::optional<TimePoint>> last_written(std::span<const std::pair<ThreadId, ActorRef>>) override {
    unused();
  }
  void insert(std::span<Message>) override { unused(); }
  void update(const Message&) override { unused(); }
};

class NoMembershipRepository : public MembershipRepository {
 public:
  Membership current(UserId, ChannelId) override { unused(); }
  Membership join(UserId, ChannelId) override { unused(); }
  Membership leave(UserId, ChannelId) override { unused(); }
  std::vector<Membership> list(UserId) override { unused(); }
};

class NoReadStateRepository : public ReadStateRepository {
 public:
  ReadState get(UserId, ChannelId) override { unused(); }
  ReadState advance(UserId, ChannelId, PostId) override { unused(); }
};

class NoGrantRepository : public GrantRepository {
 public:
  std::vector<std::optional<Grant>> current(std::span<const GrantQuestion>, TimePoint) override { unused(); }
  std::vector<std::string> held_keys(UserId, std::span<const std::string>, TimePoint) override { unused(); }
  bool internal() const override { unused(); }
  bool set(UserId, const Grant&, std::int64_t, TimePoint) override { unused(); }
  bool revoke(UserId, GrantKind, const std::string&, std::int64_t, TimePoint) override { unused(); }
  std::vector<Grant> list(UserId, TimePoint) override { unused(); }
};

class NoSanctionRepository : public SanctionRepository {
 public:
  std::vector<SanctionAnswer> current(std::span<const SanctionQuestion>, TimePoint) override { unused(); }
  void set(const Sanction&, std::int64_t) override { unused(); }
  void lift(SanctionKind, ThreadId, UserId, std::int64_t, TimePoint) override { unused(); }
  std::vector<Sanction> list(SanctionKind, ThreadId, TimePoint, std::int32_t) override { unused(); }
  std::vector<Sanction> list_of_user(UserId, TimePoint) override { unused(); }
};

class NoUserRepository : public UserRepository {
 public:
  std::optional<User> find(UserId) override { unused(); }
  std::vector<User> find_all(std::span<const UserId>) override { unused(); }
};

class NoTicketRepository : public TicketRepository {
 public:
  void insert(const Ticket&) override { unused(); }
  std::optional<Ticket> redeem(std::string_view, TimePoint) override { unused(); }
};

class NoAuditRepository : public AuditRepository {
 public:
  void append(const AuditEntry&) override { unused(); }
  std::vector<AuditEntry> page(const AuditQuery&) override { unused(); }
};

class NoIdempotencyRepository : public IdempotencyRepository {
 public:
  std::vector<std::optional<IdempotencyRecord>> find(std::span<const IdempotencyKey>) override { unused(); }
  bool store(std::span<const KeyedAnswer>) override { unused(); }
};

class NoLogRepository : public LogRepository {
 public:
  std::optional<RoomHead> head(const RoomKey&) override { unused(); }
  std::vector<RoomHead> heads(std::span<const RoomKey>) override { unused(); }
  HeadsNow heads_now(std::span<const RoomKey>) override { unused(); }
  LogPage page(const LogPageQuery&) override { unused(); }
  JournalPage journal_since(std::uint64_t) override { unused(); }
};

}  // namespace belfry::domain::testing
