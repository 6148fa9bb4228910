#include <algorithm>
#include <cstdio>
#include <random>

#include "app/commands.hpp"
#include "belfry/auth/jwt.hpp"
#include "belfry/core/uuid.hpp"

namespace belfry::app {
namespace {

struct TokenFlags {
  std::string subject;
  std::string role = "USER";
  std::string username;
  std::string picture;
  std::string ttl = "1h";
};

int usage(std::string_view line) {
  complain(line);
  return kExitUsage;
}

int print_token(const TokenFlags& flags, const config::Settings& settings) {
  const core::SystemClock clock;
  auth::TokenClaims claims;
  const auto subject = flags.subject.empty() ? core::Uuid::v7(clock.now()) : core::Uuid::parse(flags.subject);
  if (!subject) return usage("--sub is not a UUID");
  const auto lifetime = config::parse_duration(flags.ttl);
  if (!lifetime || *lifetime < std::chrono::seconds(1) || *lifetime > std::chrono::days(3650)) {
    return usage("--ttl is not allowed; allowed is 1s to 3650d");
  }
  claims.subject = core::UserId{*subject};
  claims.admin = flags.role == "ADMIN";
  if (!flags.username.empty()) claims.username = flags.username;
  if (!flags.picture.empty()) claims.picture = flags.picture;
  claims.issuer = settings.jwt_issuer;
  claims.audience = settings.jwt_audience;
  claims.expires_at = clock.now() + *lifetime;
  std::puts(auth::sign_hs256(claims, *settings.jwt_secret).c_str());
  return 0;
}

}  // namespace

void add_token(CLI::App& root, Chosen& chosen) {
  auto* command = root.add_subcommand("token", "Sign an HS256 token with BELFRY_JWT_SECRET and print it");
  auto flags = std::make_shared<TokenFlags>();
  command->add_option("--sub", flags->subject, "User id; default: a new one")->type_name("UUID");
  command->add_option("--role", flags->role, "USER or ADMIN; default: USER")
      ->type_name("ROLE")
      ->check(CLI::IsMember({"USER", "ADMIN"}));
  command->add_option("--username", flags->username, "Name shown beside what the user writes")->type_name("TEXT");
  command->add_option("--picture", flags->picture, "URL of the user's picture")->type_name("URL");
  command->add_option("--ttl", flags->ttl, "How long the token is good; default: 1h")->type_name("DURATION");
  auto settings = SettingFlags::add(*command, SettingFlags::Names{"jwt_issuer", "jwt_audience"});
  command->callback([&chosen, flags, settings] {
    chosen = [flags, settings] {
      const auto loaded = settings->load();
      if (!loaded) return kExitUsage;
      if (!loaded->settings.jwt_secret) {
        return usage("no secret to sign with: set BELFRY_JWT_SECRET or BELFRY_JWT_SECRET_FILE (at least 32 bytes)");
      }
      return print_token(*flags, loaded->settings);
    };
  });
}

}  // namespace belfry::app
