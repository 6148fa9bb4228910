#include <algorithm>
#include <utility>

#include "belfry/telemetry/log.hpp"
#include "dialects/commands/conversation.hpp"
#include "dialects/commands/later.hpp"

/// Who the client is, and until when.
namespace belfry::dialects::commands {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds kLongestTimer{std::chrono::hours{1}};

}  // namespace

void Conversation::open(std::optional<auth::Identity> identity) {
  if (identity) {
    install(std::move(*identity));
    // Not from inside the opening: the carrier is not ready to send yet.
    set_timer(services_.clock.now());
    return;
  }
  timer_ = services_.wheel.after(services_.options.login_timeout,
                                 later(*this, [this] { shut(CloseCode::kUnauthorized, "no token"); }));
}

void Conversation::install(auth::Identity identity) {
  token_ends_ = identity.expires_at;
  identity_ = std::move(identity);
  notice_given_ = false;
}

/// True from the token's last instant on, for good: what was withheld then is missing, whatever the clock says later.
/// The timer, up to a tick late, closes.
bool Conversation::token_ended(core::TimePoint now) {
  token_ended_ = token_ended_ || now >= token_ends_;
  return token_ended_;
}

/// Says that the token's end is near, closes at its end, and waits for whichever comes next.
void Conversation::watch_token() {
  if (over_ || !identity_) return;
  const auto now = services_.clock.now();
  const auto expires_at = identity_->expires_at;
  if (token_ended()) return shut(CloseCode::kUnauthorized, "token expired");
  const auto notice_at = expires_at - services_.options.expiry_notice;
  if (!notice_given_ && now >= notice_at) {
    notice_given_ = true;
    voice_.expiring(expires_at);
  }
  set_timer(notice_given_ ? expires_at : notice_at);
}

void Conversation::set_timer(core::TimePoint at) {
  const auto left = std::clamp<milliseconds>(at - services_.clock.now(), milliseconds{1}, kLongestTimer);
  timer_ = services_.wheel.after(left, later(*this, [this] { watch_token(); }));
}

void Conversation::broke(std::string_view what) {
  telemetry::error("session_failed", {{"what", what}});
  shut(CloseCode::kInternal, "");
  end_command();
}

/// From here on the client hears nothing but the close frame; its rooms forget it at once.
void Conversation::shut(CloseCode code, std::string_view reason) {
  if (over_) return;
  over_ = true;
  timer_.cancel();
  rooms_.clear();
  services_.hub.remove(*this);
  sink_.close(code, reason);
}

}  // namespace belfry::dialects::commands
