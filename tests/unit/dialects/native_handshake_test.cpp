#include <fmt/format.h>

#include "unit/dialects/native_fixture.hpp"

namespace belfry::dialects::testing {
namespace {

constexpr std::string_view kJwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl";

std::string percent_encoded(std::string_view text) {
  std::string encoded;
  for (const char c : text) encoded += fmt::format("%{:02x}", static_cast<unsigned char>(c));
  return encoded;
}

class NativeHandshakeTest : public NativeTest {
 protected:
  std::string authorize(std::string query, std::optional<std::string> authorization = std::nullopt) {
    std::string outcome = "nothing";
    std::unique_ptr<Entrance> entrance;
    dialect->authorize({.query = std::move(query), .authorization = std::move(authorization), .origin = {}},
                       [&](core::Result<std::unique_ptr<Entrance>> answer) {
                         if (answer) {
                           entrance = std::move(*answer);
                         } else {
                           outcome = std::string(core::error_class(answer.error().code).name);
                         }
                       });
    database.settle();
    return entrance ? who_enters(*entrance) : outcome;
  }
  /// Asked by a command that costs no job.
  std::string who_enters(Entrance& entrance) {
    Socket socket;
    socket.session = entrance.open(socket.sink);
    const auto replies = say(socket, R"({"event":"communication:leave_channel_posts","data":{"channelId":7}})");
    EXPECT_THAT(replies, ElementsAre(AnyOf(HasSubstr(R"("ok":true)"), HasSubstr("LOGIN_REQUIRED"))));
    return replies.at(0).find("LOGIN_REQUIRED") == std::string::npos ? "user" : "anonymous";
  }
  /// `secret` is from now on good for one connection.
  void issue(seconds lives = seconds{30}) {
    domain::Ticket ticket;
    ticket.actor = authenticator.tokens.at("one").actor;
    ticket.expires_at = clock.now() + lives;
    ticket.session_expires_at = clock.now() + seconds{600};
    work.tickets_left[auth::sha256(secret)] = ticket;
  }

  std::string secret = auth::make_ticket(clock.now() + seconds{30});
  std::string other = auth::make_ticket(clock.now() + seconds{30});
};

TEST_F(NativeHandshakeTest, DecidesByHeaderThenTicket) {
  struct Case {
    std::string name;
    std::string query;
    std::optional<std::string> authorization;
    std::string expected;
  };
  const std::string jwt(kJwt);
  const std::vector<Case> cases{
      {"nothing", "", {}, "anonymous"},
      {"other parameters", "a=b&c", {}, "anonymous"},
      {"good header", "", "Bearer one", "user"},
      {"bad header", "", "Bearer three", "UNAUTHORIZED"},
      {"malformed header", "", "one", "UNAUTHORIZED"},
      {"good ticket", "ticket=" + secret, {}, "user"},
      {"encoded ticket", "x=1&ticket=" + percent_encoded(secret), {}, "user"},
      {"empty ticket counts as absent", "ticket=", {}, "anonymous"},
      {"unknown ticket", "ticket=" + other, {}, "UNAUTHORIZED"},
      {"overlong ticket", "ticket=" + std::string(1000, 'x'), {}, "UNAUTHORIZED"},
      {"token as ticket", "ticket=" + jwt, {}, "UNAUTHORIZED"},
      {"token in any parameter", "x=" + jwt, {}, "UNAUTHORIZED"},
      {"encoded token in any parameter", "x=%65yJ" + jwt.substr(3), {}, "UNAUTHORIZED"},
      {"token in a parameter beside a good header", "x=" + jwt, "Bearer one", "UNAUTHORIZED"},
      {"bad header beside a good ticket", "ticket=" + secret, "Bearer three", "UNAUTHORIZED"},
      {"good header beside an unknown ticket", "ticket=" + other, "Bearer one", "user"},
      {"broken escapes", "ticket=%zz%4", {}, "UNAUTHORIZED"},
  };
  for (const auto& one : cases) {
    SCOPED_TRACE(one.name);
    issue();
    EXPECT_EQ(authorize(one.query, one.authorization), one.expected);
  }
}

TEST_F(NativeHandshakeTest, TicketWorksOnceInAWriteJob) {
  issue();
  EXPECT_EQ(authorize("ticket=" + secret), "user");
  EXPECT_EQ(authorize("ticket=" + secret), "UNAUTHORIZED");
  EXPECT_EQ(database.modes.back(),
            (std::pair<std::string, domain::JobMode>{"tickets.redeem", domain::JobMode::kWrite}));
}

TEST_F(NativeHandshakeTest, HeaderLeavesATicketUnused) {
  issue();
  EXPECT_EQ(authorize("ticket=" + secret, "Bearer one"), "user");
  EXPECT_EQ(authorize("ticket=" + secret), "user");
}

TEST_F(NativeHandshakeTest, ExpiredTicketOrSessionIsRefused) {
  issue(seconds{0});
  EXPECT_EQ(authorize("ticket=" + secret), "UNAUTHORIZED");
  secret = auth::make_ticket(clock.now() + seconds{1000});
  issue(seconds{1000});
  clock.pass(seconds{600});
  EXPECT_EQ(authorize("ticket=" + secret), "UNAUTHORIZED");
}

TEST_F(NativeHandshakeTest, WhatCannotBeATicketOrIsAnOldOneCostsNoJob) {
  issue();
  database.modes.clear();  // the hub's own
  for (const auto& text : {std::string("x"), std::string(44, 'A'), secret + "A", secret.substr(1)}) {
    EXPECT_EQ(authorize("ticket=" + text), "UNAUTHORIZED") << text;
  }
  EXPECT_TRUE(database.modes.empty());
  clock.pass(seconds{80});
  EXPECT_EQ(authorize("ticket=" + secret), "UNAUTHORIZED");
  EXPECT_EQ(database.modes.size(), 1U) << "the clocks of nodes may differ: only the database knows";
  clock.pass(seconds{30});
  EXPECT_EQ(authorize("ticket=" + other), "UNAUTHORIZED");
  EXPECT_EQ(database.modes.size(), 1U);
}

TEST_F(NativeHandshakeTest, ATokenCostsNoJob) {
  database.modes.clear();
  EXPECT_EQ(authorize("", "Bearer one"), "user");
  EXPECT_EQ(authorize("", "Bearer three"), "UNAUTHORIZED");
  EXPECT_TRUE(database.modes.empty());
}

TEST_F(NativeHandshakeTest, TicketThatCannotBeLookedUpIsUnavailable) {
  issue();
  database.away = true;
  EXPECT_EQ(authorize("ticket=" + secret), "SERVICE_UNAVAILABLE");
}

TEST_F(NativeHandshakeTest, LiveSocketsGiveNoLeeway) {
  EXPECT_EQ(authorize("", "Bearer one"), "user");
  EXPECT_THAT(authenticator.leeways, ElementsAre(auth::Leeway::kNone));
}

}  // namespace
}  // namespace belfry::dialects::testing
