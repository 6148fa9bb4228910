#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "belfry/core/result.hpp"
#include "belfry/domain/access.hpp"
#include "belfry/domain/entities.hpp"
#include "belfry/domain/events.hpp"
#include "belfry/domain/log.hpp"

/// Ports to the tables: one interface per table group, all valid only inside one job on one database thread.
/// Every method sees the transaction's snapshot rules (read jobs: one snapshot; write jobs: READ COMMITTED, so what
/// is read after `lock` contains all that earlier holders of the lock committed). Failures of the database throw.
namespace belfry::domain {

using core::EventId;

struct PageCursor {
  TimePoint at;
  ChannelId id;
};

/// A channel as one caller sees it in a list.
struct ChannelListItem {
  Channel channel;
  bool joined = false;
  bool locked = false;
  std::optional<PostId> last_post_id;
  std::int32_t unread_count = 0;
};

struct ChannelListQuery {
  std::optional<UserId> user;          ///< absent: anonymous
  bool holds_every_key = false;        ///< admins
  std::vector<std::string> held_keys;  ///< entitlement keys the caller holds now
  std::optional<PageCursor> before;    ///< strictly older than this
  std::int32_t limit = 20;
};

class ChannelRepository {
 public:
  virtual ~ChannelRepository() = default;
  virtual std::optional<Channel> find(ChannelId id) = 0;
  virtual std::vector<Channel> find_all(std::span<const ChannelId> ids) = 0;
  /// Draws the id and makes the posts room's log row.
  virtual ChannelId insert(const Channel& channel) = 0;
  virtual void update(const Channel& channel) = 0;
  /// What the mobile list shows this caller, newest first by (created_at, id); one more than `limit` when there is
  /// more. Counts stay 0 and null in a locked shell.
  virtual std::vector<ChannelListItem> list_visible(const ChannelListQuery& query) = 0;
  /// All states, newest first, one more than `limit` when there is more.
  virtual std::vector<Channel> list_all(const std::optional<PageCursor>& before, std::int32_t limit) = 0;
  /// Entitlement keys of all channels that are not drafts.
  virtual std::vector<std::string> gated_keys() = 0;
};

struct PostPageQuery {
  ChannelId channel_id;
  std::optional<PostId> after;   ///< ascending from here
  std::optional<PostId> before;  ///< descending from here; neither: the newest page, descending
  std::int32_t limit = 20;
  bool pinned_only = false;      ///< leaves tombstones out
  bool deleted_content = false;  ///< admins: do not mask
};

class PostRepository {
 public:
  virtual ~PostRepository() = default;
  /// With attachments, unmasked.
  virtual std::optional<Post> find(PostId id) = 0;
  /// One more than `limit` when there is more in the direction of travel; masked unless asked otherwise.
  virtual std::vector<Post> page(const PostPageQuery& query) = 0;
  /// Draws post and attachment ids, fills them in.
  virtual void insert(Post& post) = 0;
  /// Writes every column; attachments are replaced when `attachments` is set (ids drawn and filled in).
  virtual void update(Post& post, bool attachments) = 0;
};

class ThreadRepository {
 public:
  virtual ~ThreadRepository() = default;
  virtual std::optional<Discussion> find(ThreadId id) = 0;
  /// In any order, missing ones left out. One statement in the real store: deciding many rooms depends on it.
  virtual std::vector<Discussion> find_all(std::span<const ThreadId> ids) {
    std::vector<Discussion> found;
    for (const ThreadId id : ids) {
      if (auto discussion = find(id)) found.push_back(std::move(*discussion));
    }
    return found;
  }
  virtual std::optional<Discussion> find_by_channel(ChannelId channel) = 0;
  /// Of each channel that has a discussion, in any order. That never changes, so what was read once may be remembered:
  /// not for a job that makes discussions itself.
  virtual std::vector<std::pair<ChannelId, ThreadId>> ids_by_channels(std::span<const ChannelId> channels) = 0;
  /// Draws the id and makes the discussion room's log row.
  virtual ThreadId insert(const Discussion& discussion) = 0;
  virtual void update(const Discussion& discussion) = 0;
};

struct MessagePageQuery {
  ThreadId thread_id;
  std::optional<MessageId> before;
  std::int32_t limit = 20;
  bool deleted_content = false;
};

struct ClientMessageKey {
  ThreadId thread_id;
  ActorRef author;
  std::string client_message_id;
};

class MessageRepository {
 public:
  virtual ~MessageRepository() = default;
  /// Unmasked.
  virtual std::optional<Message> find(MessageId id) = 0;
  /// Newest first, one more than `limit` when there is more; masked unless asked otherwise.
  virtual std::vector<Message> page(const MessagePageQuery& query) = 0;
  /// Earlier messages with these keys, unmasked; in any order, missing ones left out.
  virtual std::vector<Message> find_by_client_ids(std::span<const ClientMessageKey> keys) = 0;
  /// When each author last wrote in each thread, deleted messages counted; parallel to the argument.
  virtual std::vector<std::optional<TimePoint>> last_written(
      std::span<const std::pair<ThreadId, ActorRef>> authors) = 0;
  /// One statement for all; draws ids in the order of the span and fills them in. Authors whom this server knows get
  /// the name and the picture that it knows.
  virtual void insert(std::span<Message> messages) = 0;
  virtual void update(const Message& message) = 0;
};

class MembershipRepository {
 public:
  virtual ~MembershipRepository() = default;
  virtual Membership current(UserId user, ChannelId channel) = 0;
  /// Parallel to the argument. One statement in the real store: deciding many rooms depends on it.
  virtual std::vector<Membership> current_all(std::span<const std::pair<UserId, ChannelId>> members) {
    std::vector<Membership> found;
    found.reserve(members.size());
    for (const auto& [user, channel] : members) found.push_back(current(user, channel));
    return found;
  }
  /// Opens an interval unless one is open; answers with the state after it.
  virtual Membership join(UserId user, ChannelId channel) = 0;
  virtual Membership leave(UserId user, ChannelId channel) = 0;
  virtual std::vector<Membership> list(UserId user) = 0;
};

class ReadStateRepository {
 public:
  virtual ~ReadStateRepository() = default;
  /// Never written: last_seen_post_id 0 and no time. Counts unread posts (capped).
  virtual ReadState get(UserId user, ChannelId channel) = 0;
  /// GREATEST(old, min(incoming, newest post)).
  virtual ReadState advance(UserId user, ChannelId channel, PostId seen) = 0;
};

struct GrantQuestion {
  UserId user;
  GrantKind kind = GrantKind::kEntitlement;
  std::string key;
  friend auto operator<=>(const GrantQuestion&, const GrantQuestion&) = default;
};

/// Thrown inside a job when a grant is needed that only the external provider can tell. The job's edge rolls back, asks
/// the provider and runs the job again with the answers. Services never see it.
struct GrantsUnknown {
  std::vector<GrantQuestion> questions;
};

class GrantRepository {
 public:
  virtual ~GrantRepository() = default;
  /// The grants current at `now`, parallel to the questions; absent when there is none.
  virtual std::vector<std::optional<Grant>> current(std::span<const GrantQuestion> questions, TimePoint now) = 0;
  /// Entitlement keys the user holds at `now`, out of `keys` when the provider is external.
  virtual std::vector<std::string> held_keys(UserId user, std::span<const std::string> keys, TimePoint now) = 0;
  /// False with an external provider: then the writes below are not allowed.
  virtual bool internal() const = 0;
  /// Ends the open interval of that key (if any) and opens this one, at access position `access_seq`. False: nothing
  /// changed.
  virtual bool set(UserId user, const Grant& grant, std::int64_t access_seq, TimePoint now) = 0;
  virtual bool revoke(UserId user, GrantKind kind, const std::string& key, std::int64_t access_seq, TimePoint now) = 0;
  virtual std::vector<Grant> list(UserId user, TimePoint now) = 0;
};

struct SanctionQuestion {
  ThreadId thread_id;
  UserId user;
};

struct SanctionAnswer {
  std::optional<Sanction> ban;
  std::optional<Sanction> mute;
};

class SanctionRepository {
 public:
  virtual ~SanctionRepository() = default;
  /// In force at `now`, parallel to the questions.
  virtual std::vector<SanctionAnswer> current(std::span<const SanctionQuestion> questions, TimePoint now) = 0;
  /// Ends the open interval (if any) and opens this one at log position `seq` of the discussion's room.
  virtual void set(const Sanction& sanction, std::int64_t seq) = 0;
  virtual void lift(SanctionKind kind, ThreadId thread, UserId user, std::int64_t seq, TimePoint now) = 0;
  /// In force at `now`, newest first; one more than `limit` when there is more.
  virtual std::vector<Sanction> list(SanctionKind kind, ThreadId thread, TimePoint now, std::int32_t limit) = 0;
  virtual std::vector<Sanction> list_of_user(UserId user, TimePoint now) = 0;
};

class UserRepository {
 public:
  virtual ~UserRepository() = default;
  virtual std::optional<User> find(UserId id) = 0;
  virtual std::vector<User> find_all(std::span<const UserId> ids) = 0;
};

enum class TicketScope : std::int16_t { kRooms = 0 };
enum class TicketIssuer : std::int16_t { kJwt = 0 };

struct Ticket {
  std::string secret_hash;  ///< SHA-256, 32 bytes; the secret itself is never stored
  Actor actor;
  TicketScope scope = TicketScope::kRooms;
  TicketIssuer issuer = TicketIssuer::kJwt;
  std::optional<std::string> origin;
  TimePoint expires_at;          ///< of the ticket
  TimePoint session_expires_at;  ///< of the JWT that asked for it
};

class TicketRepository {
 public:
  virtual ~TicketRepository() = default;
  virtual void insert(const Ticket& ticket) = 0;
  /// Uses the ticket up; exactly one caller gets it, whatever the node. Empty: unknown, used or expired at `now`.
  virtual std::optional<Ticket> redeem(std::string_view secret_hash, TimePoint now) = 0;
};

struct AuditQuery {
  std::optional<std::int64_t> before;
  std::optional<UserId> admin_id;
  std::optional<std::string> action;
  std::optional<std::string> entity_type;
  std::optional<std::string> entity_id;
  std::int32_t limit = 20;
};

class AuditRepository {
 public:
  virtual ~AuditRepository() = default;
  /// Id and time are given by the database. Written at commit.
  virtual void append(const AuditEntry& entry) = 0;
  virtual std::vector<AuditEntry> page(const AuditQuery& query) = 0;  ///< newest first, one more when there is more
};

/// Names one keyed request. `hash` is SHA-256 of its body bytes.
struct IdempotencyKey {
  UserId caller;
  std::string path;
  std::string key;
  std::string hash;
};

using IdempotentAnswer = std::variant<Channel, Post, Message>;

struct IdempotencyRecord {
  std::string hash;
  IdempotentAnswer answer;  ///< as first given; masked when the entity is deleted at this snapshot
};

struct KeyedAnswer {
  IdempotencyKey key;
  IdempotentAnswer answer;
};

class IdempotencyRepository {
 public:
  virtual ~IdempotencyRepository() = default;
  /// Not older than 24 h; parallel to the argument.
  virtual std::vector<std::optional<IdempotencyRecord>> find(std::span<const IdempotencyKey> keys) = 0;
  /// Keys that differ. Waits for a transaction that holds one of them. False: that one committed first; find it again.
  virtual bool store(std::span<const KeyedAnswer> answers) = 0;
};

/// A room, and what access to it is decided by. What does not exist is absent.
struct RoomPlace {
  RoomHead head;
  std::optional<Channel> channel;
  std::optional<Discussion> discussion;  ///< of a discussion's room
};

/// One transaction. Not thread-safe; lives on one database thread for the length of one job.
class UnitOfWork {
 public:
  virtual ~UnitOfWork() = default;

  /// Database clock: of the lock in a write job, else of the transaction's first statement. Decide by it, not by the
  /// node's.
  virtual TimePoint now() = 0;
  /// Statement 1 of every job that appends: locks these rooms in the order of their ids, alone, and reads their heads.
  /// kNotFound when one does not exist; kUnavailable when a lock is not had in time. At most once per job.
  virtual core::Result<void> lock(std::span<const RoomKey> rooms) = 0;
  /// A room this same transaction created needs no lock statement: takes it over with an empty log.
  virtual void adopt(const RoomKey& room) = 0;
  /// Takes the room's next place. Needs `lock` or `adopt` of that room. Written at commit.
  virtual EventId append(const RoomKey& room, EventDraft draft) = 0;
  /// The seq that the next `append` to this locked room will take.
  virtual std::int64_t next_seq(const RoomKey& room) = 0;

  /// Once each, in any order, rooms that do not exist left out. One statement in the real store.
  virtual std::vector<RoomPlace> places(std::span<const RoomKey> rooms) = 0;

  /// The raw bytes of a secret that all nodes of this database share and no client has: what one node signs with it,
  /// every other can check. It stays the same while its row does. Empty: there is no key for this purpose.
  virtual std::optional<std::string> node_key(std::string_view purpose) = 0;

  virtual ChannelRepository& channels() = 0;
  virtual PostRepository& posts() = 0;
  virtual ThreadRepository& threads() = 0;
  virtual MessageRepository& messages() = 0;
  virtual MembershipRepository& memberships() = 0;
  virtual ReadStateRepository& read_states() = 0;
  virtual GrantRepository& grants() = 0;
  virtual SanctionRepository& sanctions() = 0;
  virtual UserRepository& users() = 0;
  virtual TicketRepository& tickets() = 0;
  virtual AuditRepository& audit() = 0;
  virtual IdempotencyRepository& idempotency() = 0;
  virtual LogRepository& log() = 0;
};

}  // namespace belfry::domain
