#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "belfry/http/service.hpp"
#include "unit/domain/fake_work.hpp"

namespace belfry::http::testing {

using domain::testing::FakeWork;

/// Runs bodies on tables in memory; answers come later, as the real one's do.
class FakeDatabase final : public domain::Database {
 public:
  struct Submitted {
    domain::JobMode mode;
    std::string name;
    std::vector<domain::Actor> callers;
  };

  explicit FakeDatabase(FakeWork& work) : work_(work) {}

  void submit(domain::JobMode mode, domain::JobOptions options, Body body, Done done) override {
    jobs.push_back({mode, std::string(options.name), options.callers});
    queue_.push_back([this, body = std::move(body), done = std::move(done)]() mutable {
      if (failure) return done(core::fail(*failure));
      work_.next_job();
      done(body(work_));
    });
  }

  void create_message(domain::CreateMessage command, domain::JobOptions options, MessageDone done) override {
    jobs.push_back({domain::JobMode::kWrite, std::string(options.name), options.callers});
    queue_.push_back([this, command = std::move(command), done = std::move(done)]() mutable {
      if (failure) return done(core::fail(*failure));
      work_.next_job();
      done(std::move(domain::create_messages(work_, {&command, 1}).front()));
    });
  }

  void drain() {
    while (!queue_.empty()) {
      auto next = std::move(queue_.front());
      queue_.pop_front();
      next();
    }
  }

  std::vector<Submitted> jobs;
  std::optional<core::Error> failure;

 private:
  FakeWork& work_;
  std::deque<std::move_only_function<void()>> queue_;
};

/// Knows a handful of words as tokens.
class FakeAuthenticator final : public auth::Authenticator {
 public:
  void verify(std::string_view token, auth::Leeway leeway,
              std::move_only_function<void(core::Result<auth::Identity>)> done) override {
    EXPECT_EQ(leeway, auth::Leeway::kHttp);
    const auto until = domain::testing::at(600);
    if (token == "user") return done(auth::Identity{domain::testing::user(1), until});
    if (token == "other") return done(auth::Identity{domain::testing::user(2), until});
    if (token == "admin") return done(auth::Identity{domain::testing::admin(), until});
    if (token == "down") return done(core::fail(core::Error::unavailable("The key set cannot be had.")));
    const auto reason = token == "old" ? core::Reason::kTokenExpired : core::Reason::kTokenInvalid;
    done(core::fail(core::Error::unauthorized(reason, "The token is not valid.")));
  }
};

class FakeProvider final : public domain::GrantProvider {
 public:
  void ask(std::vector<domain::GrantQuestion> questions, bool fresh,
           std::move_only_function<void(core::Result<Answers>)> done) override {
    asked.push_back(std::move(questions));
    EXPECT_TRUE(fresh);
    if (silent) return done(core::fail(core::Error::unavailable("The entitlement service cannot answer.")));
    done(Answers{});
  }
  std::vector<std::vector<domain::GrantQuestion>> asked;
  bool silent = false;
};

class FixedClock final : public core::Clock {
 public:
  core::TimePoint now() const override { return domain::testing::at(0); }
};

using Headers = std::vector<std::pair<std::string, std::string>>;

/// A service over fakes, and one call at a time.
struct Harness {
  FakeWork work;
  FakeDatabase database{work};
  FakeAuthenticator authenticator;
  FakeProvider provider;
  FixedClock clock;
  telemetry::Metrics metrics;
  Readiness readiness{true, ""};
  std::unique_ptr<Service> service;

  explicit Harness(ServiceOptions options = {}, bool external = false) {
    service = make_service(std::move(options), {database, authenticator, external ? &provider : nullptr, clock, metrics,
                                                [this] { return readiness; }});
  }

  Response call(std::string method, std::string target, std::string body = "", Headers headers = {}) {
    Request request;
    request.method = std::move(method);
    const auto question = target.find('?');
    request.path = target.substr(0, question);
    if (question != std::string::npos) request.query = target.substr(question + 1);
    request.body = std::move(body);
    request.headers = std::move(headers);
    std::vector<Response> answers;
    service->handle(std::move(request), [&](Response response) { answers.push_back(std::move(response)); });
    database.drain();
    EXPECT_EQ(answers.size(), 1U) << target;
    return answers.empty() ? Response{.status = 0} : std::move(answers.front());
  }

  Response as(std::string token, std::string method, std::string target, std::string body = "", Headers headers = {}) {
    headers.emplace_back("authorization", "Bearer " + token);
    return call(std::move(method), std::move(target), std::move(body), std::move(headers));
  }
};

inline std::string header(const Response& response, std::string_view name) {
  for (const auto& [known, value] : response.headers) {
    if (known == name) return value;
  }
  return "";
}

inline bool has(const Response& response, std::string_view part) {
  return response.body.find(part) != std::string::npos;
}

/// `{userId}` and the like replaced by values that are allowed.
inline std::string concrete(std::string pattern) {
  for (const auto& [name, value] : {std::pair<std::string, std::string>{"{id}", "3"},
                                    {"{postId}", "3"},
                                    {"{key}", "vip"},
                                    {"{userId}", "019ce156-0000-7000-8000-000000000001"}}) {
    for (auto at = pattern.find(name); at != std::string::npos; at = pattern.find(name)) {
      pattern.replace(at, name.size(), value);
    }
  }
  return pattern;
}

}  // namespace belfry::http::testing
