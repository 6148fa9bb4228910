#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "unit/domain/places_by_parts.hpp"

namespace belfry::domain::testing {

inline UserId user_id(std::uint8_t number) {
  UserId id;
  id.value.bytes[15] = number;
  return id;
}
inline TimePoint at(std::int64_t seconds) { return TimePoint{std::chrono::seconds{1'800'000'000 + seconds}}; }
inline Actor user(std::uint8_t number) { return {ActorType::kUser, user_id(number), {}, {}}; }
inline Actor admin(std::uint8_t number = 100) { return {ActorType::kAdmin, user_id(number), {}, {}}; }
inline Actor anonymous() { return {}; }

/// Tables in memory behind every port. Records the order of calls; `on_lock` plays the writer that held the lock
/// before. One FakeWork is one transaction after another: `next_job` starts the next.
class FakeWork final : public UnitOfWork,
                       public ChannelRepository,
                       public PostRepository,
                       public ThreadRepository,
                       public MessageRepository,
                       public MembershipRepository,
                       public ReadStateRepository,
                       public GrantRepository,
                       public SanctionRepository,
                       public UserRepository,
                       public TicketRepository,
                       public AuditRepository,
                       public IdempotencyRepository,
                       public LogRepository {
 public:
  struct Appended {
    RoomKey room;
    std::int64_t seq;
    EventDraft draft;
  };
  struct HeldGrant {
    UserId user;
    Grant grant;
    std::int64_t seq;
  };
  struct HeldSanction {
    Sanction sanction;
    std::int64_t seq;
  };

  TimePoint clock = at(0);
  std::function<void(FakeWork&)> on_lock;
  core::Result<void> lock_result;
  bool external_grants = false;
  std::vector<std::string> calls;
  std::set<RoomKey> locked_rooms;

  std::map<ChannelId, Channel> channel_rows;
  std::map<PostId, Post> post_rows;
  std::map<ThreadId, Discussion> thread_rows;
  std::map<MessageId, Message> message_rows;
  std::map<std::pair<UserId, ChannelId>, Membership> membership_rows;
  std::map<std::pair<UserId, ChannelId>, ReadState> read_rows;
  std::vector<HeldGrant> grant_rows;
  std::vector<HeldSanction> sanction_rows;
  std::map<UserId, User> user_rows;
  std::map<std::string, Ticket> ticket_rows;
  std::vector<AuditEntry> audit_rows;
  std::map<std::tuple<UserId, std::string, std::string>, IdempotencyRecord> idempotency_rows;
  std::vector<Appended> appended;
  std::optional<ChannelListQuery> listed;

  // What a test arranges.
  Channel& add_channel(std::int64_t id, ChannelStatus status = ChannelStatus::kActive, std::string key = "") {
    Channel channel;
    channel.id = ChannelId{id};
    channel.status = status;
    channel.title = "Channel";
    channel.created_at = channel.updated_at = at(-1000);
    if (!key.empty()) {
      channel.access_policy = AccessPolicy::kExternalGated;
      channel.entitlement_key = key;
    }
    return channel_rows[channel.id] = channel;
  }
  Discussion& add_discussion(std::int64_t id, std::int64_t channel) {
    Discussion discussion;
    discussion.id = ThreadId{id};
    discussion.channel_id = ChannelId{channel};
    discussion.title = "Talk";
    discussion.created_at = discussion.updated_at = at(-900);
    return thread_rows[discussion.id] = discussion;
  }
  Post& add_post(std::int64_t id, std::int64_t channel) {
    Post post;
    post.id = PostId{id};
    post.channel_id = ChannelId{channel};
    post.body_text = "text";
    post.published_at = post.created_at = post.updated_at = at(-500);
    return post_rows[post.id] = post;
  }
  Message& add_message(std::int64_t id, std::int64_t thread, const Actor& author, TimePoint when = at(-500)) {
    Message message;
    message.id = MessageId{id};
    message.thread_id = ThreadId{thread};
    message.channel_id = thread_rows.at(message.thread_id).channel_id;
    message.author.ref = author.ref();
    message.body = "hello";
    message.created_at = message.updated_at = when;
    return message_rows[message.id] = message;
  }
  void add_grant(UserId user, GrantKind kind, std::string key, std::optional<TimePoint> until = {}) {
    grant_rows.push_back({user, {kind, std::move(key), at(-800), until}, 0});
  }
  void add_sanction(SanctionKind kind, std::int64_t thread, UserId user, std::optional<TimePoint> until = {}) {
    Sanction sanction;
    sanction.kind = kind;
    sanction.thread_id = ThreadId{thread};
    sanction.user_id = user;
    sanction.until = until;
    sanction_rows.push_back({sanction, 0});
  }
  void set_joined(UserId user, std::int64_t channel) {
    membership_rows[{user, ChannelId{channel}}] = {ChannelId{channel}, true, at(-700), {}};
  }
  void next_job() {
    locked_ = false;
    locked_rooms.clear();
    calls.clear();
    appended.clear();
    audit_rows.clear();
  }
  std::size_t count(std::string_view call) const { return static_cast<std::size_t>(std::ranges::count(calls, call)); }
  std::vector<std::string> calls_before_lock() const { return {calls.begin(), std::ranges::find(calls, "lock")}; }

  // UnitOfWork
  TimePoint now() override { return clock; }
  core::Result<void> lock(std::span<const RoomKey> rooms) override {
    if (locked_) throw std::logic_error("lock twice");
    if (!lock_result) return lock_result;
    for (const RoomKey& room : rooms) {
      if (!exists(room)) return core::fail(core::Error::not_found("no such room"));
    }
    calls.emplace_back("lock");
    locked_ = true;
    locked_rooms.insert(rooms.begin(), rooms.end());
    if (on_lock) std::exchange(on_lock, nullptr)(*this);
    return {};
  }
  void adopt(const RoomKey& room) override { locked_rooms.insert(room); }
  EventId append(const RoomKey& room, EventDraft draft) override {
    appended.push_back({room, next_seq(room), std::move(draft)});
    ++seqs_[room];
    return {};
  }
  std::int64_t next_seq(const RoomKey& room) override {
    if (!locked_rooms.contains(room)) throw std::logic_error("room not locked");
    return seqs_[room] + 1;
  }
  std::vector<RoomPlace> places(std::span<const RoomKey> rooms) override { return places_by_parts(*this, rooms); }
  std::optional<std::string> node_key(std::string_view) override { return std::nullopt; }
  ChannelRepository& channels() override { return *this; }
  PostRepository& posts() override { return *this; }
  ThreadRepository& threads() override { return *this; }
  MessageRepository& messages() override { return *this; }
  MembershipRepository& memberships() override { return *this; }
  ReadStateRepository& read_states() override { return *this; }
  GrantRepository& grants() override { return *this; }
  SanctionRepository& sanctions() override { return *this; }
  UserRepository& users() override { return *this; }
  TicketRepository& tickets() override { return *this; }
  AuditRepository& audit() override { return *this; }
  IdempotencyRepository& idempotency() override { return *this; }
  LogRepository& log() override { return *this; }

  // ChannelRepository
  std::optional<Channel> find(ChannelId id) override { return row("channels.find", channel_rows, id); }
  std::vector<Channel> find_all(std::span<const ChannelId> ids) override {
    return rows("channels.find_all", channel_rows, ids);
  }
  ChannelId insert(const Channel& channel) override {
    const ChannelId id{next_id_++};
    (channel_rows[id] = channel).id = id;
    return id;
  }
  void update(const Channel& channel) override { write(channel_rows, channel); }
  std::vector<ChannelListItem> list_visible(const ChannelListQuery& query) override {
    listed = query;
    std::vector<ChannelListItem> items;
    for (const auto& [id, channel] : channel_rows) items.push_back({.channel = channel, .last_post_id = {}});
    if (items.size() > static_cast<std::size_t>(query.limit)) items.resize(static_cast<std::size_t>(query.limit) + 1);
    return items;
  }
  std::vector<Channel> list_all(const std::optional<PageCursor>&, std::int32_t limit) override {
    std::vector<Channel> all;
    for (const auto& [id, channel] : channel_rows) all.push_back(channel);
    if (all.size() > static_cast<std::size_t>(limit)) all.resize(static_cast<std::size_t>(limit) + 1);
    return all;
  }
  std::vector<std::string> gated_keys() override {
    std::vector<std::string> keys;
    for (const auto& [id, channel] : channel_rows) {
      if (channel.entitlement_key) keys.push_back(*channel.entitlement_key);
    }
    return keys;
  }

  // PostRepository
  std::optional<Post> find(PostId id) override { return row("posts.find", post_rows, id); }
  std::vector<Post> page(const PostPageQuery& query) override {
    std::vector<Post> found;
    for (auto [id, post] : post_rows) {
      if (post.channel_id != query.channel_id) continue;
      if (post.deleted() && !query.deleted_content) post.mask();
      found.push_back(std::move(post));
    }
    if (!query.after) std::ranges::reverse(found);
    if (found.size() > static_cast<std::size_t>(query.limit)) found.resize(static_cast<std::size_t>(query.limit) + 1);
    return found;
  }
  void insert(Post& post) override {
    post.id = PostId{next_id_++};
    draw_ids(post);
    post_rows[post.id] = post;
  }
  void update(Post& post, bool attachments) override {
    if (attachments) draw_ids(post);
    write(post_rows, post);
  }

  // ThreadRepository
  std::optional<Discussion> find(ThreadId id) override { return row("threads.find", thread_rows, id); }
  std::vector<Discussion> find_all(std::span<const ThreadId> ids) override {
    return rows("threads.find_all", thread_rows, ids);
  }
  std::optional<Discussion> find_by_channel(ChannelId channel) override {
    calls.emplace_back("threads.find_by_channel");
    for (const auto& [id, thread] : thread_rows) {
      if (thread.channel_id == channel) return thread;
    }
    return {};
  }
  std::vector<std::pair<ChannelId, ThreadId>> ids_by_channels(std::span<const ChannelId> channels) override {
    calls.emplace_back("threads.ids_by_channels");
    std::vector<std::pair<ChannelId, ThreadId>> found;
    for (const auto& [id, thread] : thread_rows) {
      if (std::ranges::find(channels, thread.channel_id) != channels.end()) found.emplace_back(thread.channel_id, id);
    }
    return found;
  }
  ThreadId insert(const Discussion& discussion) override {
    const ThreadId id{next_id_++};
    (thread_rows[id] = discussion).id = id;
    return id;
  }
  void update(const Discussion& discussion) override { write(thread_rows, discussion); }

  // MessageRepository
  std::optional<Message> find(MessageId id) override { return row("messages.find", message_rows, id); }
  std::vector<Message> page(const MessagePageQuery& query) override {
    std::vector<Message> found;
    for (auto [id, message] : message_rows) {
      if (message.thread_id != query.thread_id) continue;
      if (message.deleted() && !query.deleted_content) message.mask();
      found.push_back(std::move(message));
    }
    std::ranges::reverse(found);
    if (found.size() > static_cast<std::size_t>(query.limit)) found.resize(static_cast<std::size_t>(query.limit) + 1);
    return found;
  }
  std::vector<Message> find_by_client_ids(std::span<const ClientMessageKey> keys) override {
    calls.emplace_back("messages.find_by_client_ids");
    std::vector<Message> found;
    for (const auto& key : keys) {
      for (const auto& [id, message] : message_rows) {
        if (message.thread_id == key.thread_id && message.author.ref == key.author &&
            message.client_message_id == key.client_message_id) {
          found.push_back(message);
        }
      }
    }
    return found;
  }
  std::vector<std::optional<TimePoint>> last_written(std::span<const std::pair<ThreadId, ActorRef>> authors) override {
    calls.emplace_back("messages.last_written");
    std::vector<std::optional<TimePoint>> times;
    for (const auto& [thread, author] : authors) {
      auto& time = times.emplace_back();
      for (const auto& [id, message] : message_rows) {
        if (message.thread_id == thread && message.author.ref == author) time = message.created_at;
      }
    }
    return times;
  }
  void insert(std::span<Message> messages) override {
    calls.emplace_back("messages.insert");
    for (auto& message : messages) {
      message.id = MessageId{next_id_++};
      if (const auto author = user_rows.find(message.author.ref.id); author != user_rows.end()) {
        message.author.username = author->second.username;
        message.author.picture = author->second.picture;
      }
      message_rows[message.id] = message;
    }
  }
  void update(const Message& message) override { write(message_rows, message); }

  // MembershipRepository
  Membership current(UserId user, ChannelId channel) override {
    calls.emplace_back("memberships.current");
    return membership(user, channel);
  }
  std::vector<Membership> current_all(std::span<const std::pair<UserId, ChannelId>> members) override {
    calls.emplace_back("memberships.current_all");
    std::vector<Membership> found;
    for (const auto& [user, channel] : members) found.push_back(membership(user, channel));
    return found;
  }
  Membership join(UserId user, ChannelId channel) override {
    return membership_rows[{user, channel}] = {channel, true, clock, {}};
  }
  Membership leave(UserId user, ChannelId channel) override {
    auto current = membership(user, channel);
    if (current.joined) current.left_at = clock;
    current.joined = false;
    return membership_rows[{user, channel}] = current;
  }
  std::vector<Membership> list(UserId user) override {
    std::vector<Membership> found;
    for (const auto& [key, membership] : membership_rows) {
      if (key.first == user && membership.joined) found.push_back(membership);
    }
    return found;
  }

  // ReadStateRepository
  ReadState get(UserId user, ChannelId channel) override {
    const auto found = read_rows.find({user, channel});
    return found == read_rows.end() ? ReadState{channel, {}, {}, 0} : found->second;
  }
  ReadState advance(UserId user, ChannelId channel, PostId seen) override {
    auto state = get(user, channel);
    state.last_seen_post_id = std::max(state.last_seen_post_id, seen);
    return read_rows[{user, channel}] = state;
  }

  // GrantRepository
  std::vector<std::optional<Grant>> current(std::span<const GrantQuestion> questions, TimePoint now) override {
    calls.emplace_back("grants.current");
    std::vector<std::optional<Grant>> answers;
    for (const auto& question : questions) {
      auto& answer = answers.emplace_back();
      for (const auto& held : grant_rows) {
        if (held.user == question.user && held.grant.kind == question.kind && held.grant.key == question.key &&
            *held.grant.valid_from <= now && (!held.grant.valid_until || now < *held.grant.valid_until)) {
          answer = held.grant;
        }
      }
    }
    return answers;
  }
  std::vector<std::string> held_keys(UserId user, std::span<const std::string> keys, TimePoint) override {
    calls.emplace_back("grants.held_keys:" + std::to_string(keys.size()));
    std::vector<std::string> held;
    for (const auto& row : grant_rows) {
      if (row.user == user) held.push_back(row.grant.key);
    }
    return held;
  }
  bool internal() const override { return !external_grants; }
  bool set(UserId user, const Grant& grant, std::int64_t access_seq, TimePoint) override {
    for (auto& held : grant_rows) {
      if (held.user != user || held.grant.kind != grant.kind || held.grant.key != grant.key) continue;
      if (held.grant.valid_from == grant.valid_from && held.grant.valid_until == grant.valid_until) return false;
      held = {user, grant, access_seq};
      return true;
    }
    grant_rows.push_back({user, grant, access_seq});
    return true;
  }
  bool revoke(UserId user, GrantKind kind, const std::string& key, std::int64_t, TimePoint) override {
    return std::erase_if(grant_rows, [&](const HeldGrant& held) {
             return held.user == user && held.grant.kind == kind && held.grant.key == key;
           }) > 0;
  }
  std::vector<Grant> list(UserId user, TimePoint) override {
    std::vector<Grant> found;
    for (const auto& held : grant_rows) {
      if (held.user == user) found.push_back(held.grant);
    }
    return found;
  }

  // SanctionRepository
  std::vector<SanctionAnswer> current(std::span<const SanctionQuestion> questions, TimePoint now) override {
    calls.emplace_back("sanctions.current");
    std::vector<SanctionAnswer> answers;
    for (const auto& question : questions) {
      auto& answer = answers.emplace_back();
      for (const auto& [sanction, seq] : sanction_rows) {
        if (sanction.thread_id != question.thread_id || sanction.user_id != question.user) continue;
        if (sanction.until && *sanction.until <= now) continue;
        (sanction.kind == SanctionKind::kBan ? answer.ban : answer.mute) = sanction;
      }
    }
    return answers;
  }
  void set(const Sanction& sanction, std::int64_t seq) override {
    erase(sanction.kind, sanction.thread_id, sanction.user_id);
    sanction_rows.push_back({sanction, seq});
  }
  void lift(SanctionKind kind, ThreadId thread, UserId user, std::int64_t, TimePoint) override {
    erase(kind, thread, user);
  }
  std::vector<Sanction> list(SanctionKind kind, ThreadId thread, TimePoint, std::int32_t) override {
    std::vector<Sanction> found;
    for (const auto& [sanction, seq] : sanction_rows) {
      if (sanction.kind == kind && sanction.thread_id == thread) found.push_back(sanction);
    }
    return found;
  }
  std::vector<Sanction> list_of_user(UserId user, TimePoint) override {
    std::vector<Sanction> found;
    for (const auto& [sanction, seq] : sanction_rows) {
      if (sanction.user_id == user) found.push_back(sanction);
    }
    return found;
  }

  // UserRepository, TicketRepository, AuditRepository, IdempotencyRepository
  std::optional<User> find(UserId id) override { return row("users.find", user_rows, id); }
  std::vector<User> find_all(std::span<const UserId> ids) override { return rows("users.find_all", user_rows, ids); }
  void insert(const Ticket& ticket) override { ticket_rows[ticket.secret_hash] = ticket; }
  std::optional<Ticket> redeem(std::string_view secret_hash, TimePoint now) override {
    auto node = ticket_rows.extract(std::string(secret_hash));
    if (node.empty() || node.mapped().expires_at <= now) return {};
    return node.mapped();
  }
  void append(const AuditEntry& entry) override { audit_rows.push_back(entry); }
  std::vector<AuditEntry> page(const AuditQuery&) override { return audit_rows; }
  std::vector<std::optional<IdempotencyRecord>> find(std::span<const IdempotencyKey> keys) override {
    std::vector<std::optional<IdempotencyRecord>> found;
    calls.emplace_back("idempotency.find");
    for (const auto& key : keys) {
      const auto record = idempotency_rows.find({key.caller, key.path, key.key});
      found.push_back(record == idempotency_rows.end() ? std::nullopt : std::optional(record->second));
    }
    return found;
  }
  bool store(std::span<const KeyedAnswer> answers) override {
    calls.emplace_back("idempotency.store");
    return std::ranges::all_of(answers, [this](const KeyedAnswer& kept) {
      const auto& key = kept.key;
      return idempotency_rows.try_emplace({key.caller, key.path, key.key}, IdempotencyRecord{key.hash, kept.answer})
          .second;
    });
  }

  // LogRepository
  std::optional<RoomHead> head(const RoomKey& room) override {
    if (!exists(room)) return {};
    RoomHead head;
    head.room = room;
    head.last_seq = seqs_[room];
    return head;
  }
  std::vector<RoomHead> heads(std::span<const RoomKey> rooms) override {
    calls.emplace_back("log.heads");
    std::vector<RoomHead> found;
    for (const RoomKey& room : rooms) {
      if (auto one = head(room)) found.push_back(*one);
    }
    return found;
  }
  HeadsNow heads_now(std::span<const RoomKey> rooms) override {
    const auto access = head(kAccessLog);
    return {heads(rooms), access ? access->last_seq : 0, now()};
  }
  LogPage page(const LogPageQuery& query) override {
    calls.emplace_back("log.page");
    LogPage page;
    page.head = *head(query.room);
    return page;
  }
  JournalPage journal_since(std::uint64_t) override { return {}; }

 private:
  template <class Map, class Key>
  std::optional<typename Map::mapped_type> row(const char* call, const Map& map, const Key& id) {
    calls.emplace_back(call);
    const auto found = map.find(id);
    if (found == map.end()) return {};
    return found->second;
  }
  template <class Map, class Key>
  std::vector<typename Map::mapped_type> rows(const char* call, const Map& map, std::span<const Key> ids) {
    calls.emplace_back(call);
    std::vector<typename Map::mapped_type> found;
    for (const Key& id : ids) {
      if (const auto at_id = map.find(id); at_id != map.end()) found.push_back(at_id->second);
    }
    return found;
  }
  template <class Map, class Row>
  void write(Map& map, const Row& changed) {
    calls.emplace_back("update");
    map.at(changed.id) = changed;
  }
  void draw_ids(Post& post) {
    for (auto& attachment : post.attachments) attachment.id = AttachmentId{next_id_++};
  }
  Membership membership(UserId user, ChannelId channel) const {
    const auto found = membership_rows.find({user, channel});
    return found == membership_rows.end() ? Membership{channel, false, {}, {}} : found->second;
  }
  void erase(SanctionKind kind, ThreadId thread, UserId user) {
    std::erase_if(sanction_rows, [&](const HeldSanction& held) {
      return held.sanction.kind == kind && held.sanction.thread_id == thread && held.sanction.user_id == user;
    });
  }
  bool exists(const RoomKey& room) const {
    if (room.kind == RoomKind::kPosts) return channel_rows.contains(ChannelId{room.key});
    if (room.kind == RoomKind::kDiscussion) return thread_rows.contains(ThreadId{room.key});
    return room == kAccessLog;
  }

  bool locked_ = false;
  std::map<RoomKey, std::int64_t> seqs_;
  std::int64_t next_id_ = 1000;
};

/// `<code>/<reason>` or "ok": what the tables of the tests compare.
template <class Outcome>
std::string verdict(const Outcome& outcome) {
  if (outcome) return "ok";
  const core::Error& error = outcome.error();
  std::string text(core::error_class(error.code).name);
  if (error.code == core::ErrorCode::kInvalid && !error.details.empty()) return text + "/" + error.details[0].field;
  const auto reason = core::reason_name(error.reason);
  return reason.empty() ? text : text + "/" + std::string(reason);
}

}  // namespace belfry::domain::testing
