#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <tuple>
#include <utility>
#include <variant>

#include "belfry/domain/messages.hpp"
#include "domain/refusals.hpp"
#include "domain/standing.hpp"
#include "domain/writes.hpp"

namespace belfry::domain {
namespace {

using core::Error;
using core::fail;

/// One batch: its rooms are locked, what decides is read at once, and what was decided, one after another, is written
/// at once.
class MessageBatch {
 public:
  MessageBatch(UnitOfWork& work, std::span<const CreateMessage> commands) : work_(work), commands_(commands) {}

  std::vector<Result<CreatedMessage>> run() {
    if (auto locked = lock(); !locked)
      return std::vector<Result<CreatedMessage>>(commands_.size(), fail(locked.error()));
    read();
    outcomes_.reserve(commands_.size());
    for (const auto& command : commands_) {
      auto outcome = decide(command);
      outcomes_.push_back(outcome ? std::move(*outcome)
                                  : Outcome{.refusal = std::move(outcome.error()), .message = {}});
    }
    write();
    return answers();
  }

 private:
  /// A message of before this batch, or the place of one among the drafts.
  using First = std::variant<Message, std::size_t>;
  struct Outcome {
    std::optional<Error> refusal;
    First message;
    bool repeated = false;
  };
  struct Answered {
    std::string hash;
    First message;
  };
  using AuthorKey = std::tuple<ThreadId, ActorType, UserId>;
  using ClientKey = std::tuple<ThreadId, ActorType, UserId, std::string>;
  using RequestKey = std::tuple<UserId, std::string, std::string>;

  static AuthorKey author_key(ThreadId thread, const ActorRef& author) { return {thread, author.type, author.id}; }
  static ClientKey client_key(ThreadId thread, const ActorRef& author, const std::string& id) {
    return {thread, author.type, author.id, id};
  }
  static RequestKey request_key(const IdempotencyKey& key) { return {key.caller, key.path, key.key}; }

  /// Which discussion a channel has never changes, so it may be asked before the lock; all else comes after it.
  Result<void> lock() {
    std::set<ChannelId> channels;
    for (const auto& command : commands_) channels.insert(command.channel_id);
    channel_ids_.assign(channels.begin(), channels.end());
    for (const auto& [channel, discussion] : work_.threads().ids_by_channels(channel_ids_)) {
      rooms_.push_back(discussion_room(discussion));
    }
    if (rooms_.empty()) return {};
    return lock_rooms(work_, rooms_, discussion_not_found());
  }

  void read() {
    now_ = work_.now();
    read_places();
    for (const auto& command : commands_) {
      if (const auto* channel = channel_of(command)) standings_.want(command.actor, *channel);
      if (const auto* discussion = discussion_of(command)) standings_.want(command.actor, *discussion);
    }
    standings_.read(work_);
    read_repeats();
    read_last_written();
  }

  /// A discussion that was made since its room was asked for is not locked: for this batch it is not there yet.
  void read_places() {
    if (!rooms_.empty()) {
      for (auto& place : work_.places(rooms_)) {
        if (!place.channel || !place.discussion) continue;
        const auto id = place.channel->id;
        channels_.emplace(id, std::move(*place.channel));
        discussions_.emplace(id, std::move(*place.discussion));
      }
    }
    std::vector<ChannelId> silent;
    std::ranges::copy_if(channel_ids_, std::back_inserter(silent),
                         [&](ChannelId id) { return !channels_.contains(id); });
    if (silent.empty()) return;
    for (auto& channel : work_.channels().find_all(silent)) channels_.emplace(channel.id, std::move(channel));
  }

  void read_repeats() {
    std::set<RequestKey> requested;
    std::vector<IdempotencyKey> requests;
    std::set<ClientKey> asked;
    std::vector<ClientMessageKey> keys;
    for (const auto& command : commands_) {
      const auto* discussion = discussion_of(command);
      if (discussion == nullptr) continue;
      if (command.idempotency && requested.insert(request_key(*command.idempotency)).second) {
        requests.push_back(*command.idempotency);
      }
      if (!command.client_message_id) continue;
      if (!asked.insert(client_key(discussion->id, command.actor.ref(), *command.client_message_id)).second) continue;
      keys.push_back({discussion->id, command.actor.ref(), *command.client_message_id});
    }
    if (!requests.empty()) {
      auto records = work_.idempotency().find(requests);
      for (std::size_t i = 0; i < requests.size(); ++i) {
        if (records.at(i)) keep_record(requests[i], *records[i]);
      }
    }
    if (keys.empty()) return;
    for (auto& message : work_.messages().find_by_client_ids(keys)) {
      auto key = client_key(message.thread_id, message.author.ref, message.client_message_id.value_or(""));
      if (message.deleted()) message.mask();
      sent_.insert_or_assign(std::move(key), First{std::move(message)});
    }
  }

  void keep_record(const IdempotencyKey& key, IdempotencyRecord& record) {
    auto* message = std::get_if<Message>(&record.answer);
    // The answer of another kind of request can only be another request's: no hash equals this one.
    Answered answered{message != nullptr ? record.hash : std::string{}, First{}};
    if (message != nullptr) answered.message = std::move(*message);
    answered_.emplace(request_key(key), std::move(answered));
  }

  void read_last_written() {
    std::vector<std::pair<ThreadId, ActorRef>> authors;
    for (const auto& command : commands_) {
      const auto* discussion = discussion_of(command);
      if (discussion == nullptr || !discussion->slow_mode_enabled || command.actor.admin()) continue;
      if (last_written_.try_emplace(author_key(discussion->id, command.actor.ref())).second) {
        authors.emplace_back(discussion->id, command.actor.ref());
      }
    }
    if (authors.empty()) return;
    const auto times = work_.messages().last_written(authors);
    for (std::size_t i = 0; i < authors.size(); ++i) {
      last_written_[author_key(authors[i].first, authors[i].second)] = times.at(i);
    }
  }

  Result<Outcome> decide(const CreateMessage& command) {
    if (command.actor.anonymous()) return fail(login_required());
    const auto* channel = channel_of(command);
    if (channel == nullptr) return fail(channel_not_found());
    const auto* discussion = discussion_of(command);
    auto access = discussion != nullptr ? standings_.decide(command.actor, *channel, *discussion)
                                        : standings_.decide(command.actor, *channel);
    if (!access.allowed()) return fail(std::move(*access.refusal));
    if (discussion == nullptr) return fail(discussion_not_found());
    if (auto repeat = find_repeat(command, *discussion); !repeat || *repeat) {
      if (!repeat) return fail(std::move(repeat.error()));
      return std::move(**repeat);
    }
    if (auto active = require_active(*channel); !active) return fail(std::move(active.error()));
    if (auto heard = decide_muted(command.actor, standings_.mute(command.actor, discussion->id), now_); !heard) {
      return fail(std::move(heard.error()));
    }
    const auto author = author_key(discussion->id, command.actor.ref());
    const auto last = last_written_.find(author);
    if (last != last_written_.end()) {
      if (auto slow = decide_slow_mode(command.actor, *discussion, last->second, now_); !slow) {
        return fail(std::move(slow.error()));
      }
      last->second = now_;
    }
    return accept(command, *discussion);
  }

  /// The stored answer of the idempotency key, or the message that has the client's id already.
  Result<std::optional<Outcome>> find_repeat(const CreateMessage& command, const Discussion& discussion) const {
    if (command.idempotency) {
      const auto found = answered_.find(request_key(*command.idempotency));
      if (found != answered_.end()) {
        if (found->second.hash != command.idempotency->hash) {
          return fail(Error::conflict(core::Reason::kIdempotencyKeyReused,
                                      "The idempotency key was used for another request."));
        }
        return Outcome{.refusal = {}, .message = found->second.message};
      }
    }
    if (command.client_message_id) {
      const auto found = sent_.find(client_key(discussion.id, command.actor.ref(), *command.client_message_id));
      if (found != sent_.end()) return Outcome{.refusal = {}, .message = found->second, .repeated = true};
    }
    return std::optional<Outcome>{};
  }

  Outcome accept(const CreateMessage& command, const Discussion& discussion) {
    Message message;
    message.public_id = core::Uuid::v7(now_);
    message.thread_id = discussion.id;
    message.channel_id = discussion.channel_id;
    message.author = {command.actor.ref(), command.actor.username, command.actor.picture};
    message.body = command.body;
    message.client_message_id = command.client_message_id;
    message.created_at = message.updated_at = now_;
    const First place{drafts_.size()};
    if (command.idempotency) {
      answered_.emplace(request_key(*command.idempotency), Answered{command.idempotency->hash, place});
    }
    if (command.client_message_id) {
      sent_.emplace(client_key(discussion.id, command.actor.ref(), *command.client_message_id), place);
    }
    drafts_.push_back(std::move(message));
    draft_commands_.push_back(&command);
    return {.refusal = {}, .message = place};
  }

  void write() {
    if (drafts_.empty()) return;
    work_.messages().insert(drafts_);
    std::vector<KeyedAnswer> kept;
    for (std::size_t i = 0; i < drafts_.size(); ++i) {
      const auto& command = *draft_commands_[i];
      append_message(work_, EventType::kMessageCreated, command.actor, drafts_[i]);
      if (command.idempotency) kept.push_back({*command.idempotency, drafts_[i]});
      if (command.actor.admin()) {
        audit(work_, command.actor, "message.create", "message", std::to_string(drafts_[i].id.value));
      }
    }
    keep_answers(work_, kept);
  }

  std::vector<Result<CreatedMessage>> answers() {
    std::vector<Result<CreatedMessage>> answers;
    answers.reserve(outcomes_.size());
    for (auto& outcome : outcomes_) {
      if (outcome.refusal) {
        answers.emplace_back(fail(std::move(*outcome.refusal)));
        continue;
      }
      const auto* place = std::get_if<std::size_t>(&outcome.message);
      auto message = place != nullptr ? drafts_[*place] : std::get<Message>(std::move(outcome.message));
      answers.emplace_back(CreatedMessage{.message = std::move(message), .repeated = outcome.repeated});
    }
    return answers;
  }

  const Channel* channel_of(const CreateMessage& command) const {
    const auto found = channels_.find(command.channel_id);
    return found == channels_.end() ? nullptr : &found->second;
  }
  const Discussion* discussion_of(const CreateMessage& command) const {
    const auto found = discussions_.find(command.channel_id);
    return found == discussions_.end() ? nullptr : &found->second;
  }

  UnitOfWork& work_;
  std::span<const CreateMessage> commands_;
  TimePoint now_;
  std::vector<ChannelId> channel_ids_;
  std::vector<RoomKey> rooms_;
  std::map<ChannelId, Channel> channels_;
  std::map<ChannelId, Discussion> discussions_;
  Standings standings_;
  std::map<RequestKey, Answered> answered_;
  std::map<ClientKey, First> sent_;
  std::map<AuthorKey, std::optional<TimePoint>> last_written_;
  std::vector<Message> drafts_;
  std::vector<const CreateMessage*> draft_commands_;
  std::vector<Outcome> outcomes_;
};

}  // namespace

std::vector<Result<CreatedMessage>> create_messages(UnitOfWork& work, std::span<const CreateMessage> commands) {
  if (commands.empty()) return {};
  return MessageBatch(work, commands).run();
}

}  // namespace belfry::domain
