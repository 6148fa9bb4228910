#include "app/dev/tour.hpp"

#include <chrono>

#include <fmt/format.h>

#include "belfry/auth/jwt.hpp"

namespace belfry::app::dev {
namespace {

constexpr std::chrono::days kTokenLifetime{365};

std::string token(const domain::Actor& actor, const config::Settings& settings, core::TimePoint now) {
  auth::TokenClaims claims;
  claims.subject = actor.id;
  claims.admin = actor.admin();
  claims.username = actor.username;
  claims.issuer = settings.jwt_issuer;
  claims.audience = settings.jwt_audience;
  claims.expires_at = now + kTokenLifetime;
  return auth::sign_hs256(claims, *settings.jwt_secret);
}

constexpr std::string_view kTour = R"(
Belfry serves the demo at http://{authority} (Ctrl-C stops it). Paste into another shell:

# Who is who: Ada is an admin, Mira a member, Tomas has lost his access, Rolf is banned from the discussion.
URL=http://{authority}
ADA={ada}
MIRA={mira}
TOMAS={tomas}
ROLF={rolf}

# Channels as a stranger, and as a member sees them
curl -s $URL/api/mobile/channels
curl -s -H "Authorization: Bearer $MIRA" $URL/api/mobile/channels

# Posts of the open channel, newest first; the next page by before_id
curl -s "$URL/api/mobile/channels/{open}/posts?limit=2"

# The members' channel: Mira reads it, Tomas is told why he cannot
curl -s -H "Authorization: Bearer $MIRA" $URL/api/mobile/channels/{gated}/posts
curl -s -H "Authorization: Bearer $TOMAS" $URL/api/mobile/channels/{gated}/posts

# Write in the discussion (once in 5 seconds: slow mode), and see Rolf refused
curl -s -H "Authorization: Bearer $MIRA" $URL/api/mobile/channels/{open}/discussion/messages -d '{{"body":"Thank you, Ada."}}'
curl -s -H "Authorization: Bearer $ROLF" $URL/api/mobile/channels/{open}/discussion/messages -d '{{"body":"Anchors!"}}'

# Post as the admin
curl -s -H "Authorization: Bearer $ADA" $URL/api/admin/channels/{open}/posts -d '{{"type":"TEXT","bodyText":"Fog until noon."}}'

# Follow both rooms of the open channel live (Debian package python3-websockets; Ctrl-D ends it), then write or post as above
(printf '%s\n' '{{"id":1,"event":"authenticate","data":{{"token":"'$MIRA'"}}}}' '{{"id":2,"event":"communication:join_channel_posts","data":{{"channelId":{open}}}}}' '{{"id":3,"event":"communication:join_discussion","data":{{"channelId":{open}}}}}'; cat) | /usr/bin/python3 -m websockets ws://{authority}/ws

)";

}  // namespace

std::string describe_tour(const Demo& demo, const std::string& authority, const config::Settings& settings,
                          core::TimePoint now) {
  return fmt::format(kTour, fmt::arg("authority", authority), fmt::arg("ada", token(keeper(), settings, now)),
                     fmt::arg("mira", token(member(), settings, now)),
                     fmt::arg("tomas", token(lapsed(), settings, now)),
                     fmt::arg("rolf", token(banned(), settings, now)), fmt::arg("open", demo.open.value),
                     fmt::arg("gated", demo.gated.value));
}

}  // namespace belfry::app::dev
