#include "belfry/domain/moderation.hpp"

#include <utility>

#include "belfry/domain/discussions.hpp"
#include "belfry/domain/page.hpp"
#include "domain/refusals.hpp"
#include "domain/writes.hpp"

namespace belfry::domain {
namespace {

using core::Error;
using core::fail;

/// A list of sanctions has no cursor, so it has an end.
constexpr std::int32_t kMaxListed = 1000;

/// Locks the discussion's room; only which discussion it is is known from before.
Result<ThreadId> lock_discussion(UnitOfWork& work, ChannelId channel) {
  const auto known = find_discussion(work, channel);
  if (!known) return fail(known.error());
  if (auto locked = lock_room(work, discussion_room(known->id), discussion_not_found()); !locked) {
    return fail(std::move(locked.error()));
  }
  return known->id;
}

std::optional<Sanction> current(UnitOfWork& work, SanctionKind kind, ThreadId thread, UserId user) {
  const SanctionQuestion question{thread, user};
  auto answers = work.sanctions().current(std::span(&question, 1), work.now());
  return kind == SanctionKind::kBan ? std::move(answers.at(0).ban) : std::move(answers.at(0).mute);
}

struct Names {
  ControlKind control;
  const char* action;
};

Names names_of(SanctionKind kind, bool lifted) {
  if (kind == SanctionKind::kBan) {
    return lifted ? Names{ControlKind::kUnban, "discussion.unban"} : Names{ControlKind::kBan, "discussion.ban"};
  }
  return lifted ? Names{ControlKind::kUnmute, "discussion.unmute"} : Names{ControlKind::kMute, "discussion.mute"};
}

void record(UnitOfWork& work, const Actor& admin, const Names& names, ThreadId thread, UserId user) {
  append_control(work, discussion_room(thread), names.control, admin, user);
  audit(work, admin, names.action, "discussion", std::to_string(thread.value),
        details_of({{"userId", user.value.text()}}));
}

}  // namespace

Result<Sanction> set_sanction(UnitOfWork& work, const Actor& admin, const Sanctioning& command) {
  const auto thread = lock_discussion(work, command.channel_id);
  if (!thread) return fail(thread.error());
  const TimePoint now = work.now();
  if (command.until && *command.until <= now) return fail(Error::invalid("until", "must be in the future"));
  auto present = current(work, command.kind, *thread, command.user_id);
  if (present && present->reason == command.reason && present->until == command.until) return std::move(*present);
  Sanction sanction;
  sanction.kind = command.kind;
  sanction.thread_id = *thread;
  sanction.channel_id = command.channel_id;
  sanction.user_id = command.user_id;
  sanction.reason = command.reason;
  sanction.until = command.until;
  sanction.created_at = now;
  sanction.admin_id = admin.id;
  work.sanctions().set(sanction, work.next_seq(discussion_room(*thread)));
  record(work, admin, names_of(command.kind, false), *thread, command.user_id);
  return sanction;
}

Result<void> lift_sanction(UnitOfWork& work, const Actor& admin, SanctionKind kind, ChannelId channel, UserId user) {
  const auto thread = lock_discussion(work, channel);
  if (!thread) return fail(thread.error());
  if (!current(work, kind, *thread, user)) return {};
  work.sanctions().lift(kind, *thread, user, work.next_seq(discussion_room(*thread)), work.now());
  record(work, admin, names_of(kind, true), *thread, user);
  return {};
}

Result<std::vector<Sanction>> list_sanctions(UnitOfWork& work, SanctionKind kind, ChannelId channel) {
  const auto discussion = find_discussion(work, channel);
  if (!discussion) return fail(discussion.error());
  auto sanctions = work.sanctions().list(kind, discussion->id, work.now(), kMaxListed);
  return cut_page(std::move(sanctions), kMaxListed).items;
}

}  // namespace belfry::domain
