#include "belfry/auth/grant_service.hpp"

#include <algorithm>
#include <deque>
#include <map>
#include <set>
#include <utility>

#include <nlohmann/json.hpp>

#include "auth/known_grants.hpp"
#include "belfry/outbound/breaker.hpp"
#include "belfry/telemetry/log.hpp"

namespace belfry::auth {
namespace {

using core::Error;
using core::fail;
using core::TimePoint;
using domain::Grant;
using domain::GrantQuestion;
using nlohmann::json;
using Answers = domain::GrantProvider::Answers;
using Done = std::move_only_function<void(core::Result<Answers>)>;

constexpr std::size_t kMaxWaiting = 4096;

using CacheKey = KnownGrants::Key;
using Known = KnownGrants::Known;

/// `grants` of an answer, or nothing when it is not of the agreed form.
std::optional<std::map<CacheKey, Known>> parse_answer(const std::string& body, TimePoint asked_at) {
  const json answer = json::parse(body, nullptr, false);
  if (!answer.is_object() || !answer.contains("grants") || !answer["grants"].is_object()) return std::nullopt;
  std::map<CacheKey, Known> known;
  for (const auto& [user_text, keys] : answer["grants"].items()) {
    const auto user = core::Uuid::parse(user_text);
    if (!user || !keys.is_object()) return std::nullopt;
    for (const auto& [key, grant] : keys.items()) {
      if (!grant.is_object() || !grant.contains("active") || !grant["active"].is_boolean()) return std::nullopt;
      Known one{grant["active"].get<bool>(), std::nullopt, asked_at};
      if (grant.contains("validUntil") && !grant["validUntil"].is_null()) {
        if (!grant["validUntil"].is_string()) return std::nullopt;
        one.valid_until = core::parse_iso8601(grant["validUntil"].get_ref<const std::string&>());
        if (!one.valid_until) return std::nullopt;
      }
      known.emplace(CacheKey{core::UserId{*user}, key}, one);
    }
  }
  return known;
}

}  // namespace

class GrantService::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(GrantServiceOptions options, Send send, const core::Clock& clock, telemetry::Metrics& metrics)
      : options_(std::move(options)),
        send_(std::move(send)),
        clock_(clock),
        metrics_(metrics),
        breaker_(options_.breaker_threshold, options_.breaker_pause, clock),
        cache_(options_.max_cached) {}

  void ask(std::vector<GrantQuestion> questions, bool fresh, Done done) {
    if (!fresh) {
      if (auto answers = from_cache(questions)) return done(std::move(*answers));
    }
    if (waiting_.size() >= kMaxWaiting) return done(fail(silent()));
    waiting_.push_back({std::move(questions), std::move(done)});
    if (!in_flight_) next_call();
  }

  void forget(core::UserId user) { cache_.forget(user); }

 private:
  struct Waiting {
    std::vector<GrantQuestion> questions;
    Done done;
  };

  static Error silent() { return Error::unavailable("Access cannot be checked right now.", 2); }

  static std::optional<Grant> grant_of(const GrantQuestion& question, const Known& known, TimePoint now) {
    if (!known.active || (known.valid_until && now >= *known.valid_until)) return std::nullopt;
    return Grant{question.kind, question.key, std::nullopt, known.valid_until};
  }

  std::optional<Answers> from_cache(const std::vector<GrantQuestion>& questions) const {
    const TimePoint now = clock_.now();
    Answers answers;
    for (const GrantQuestion& question : questions) {
      const Known* found = cache_.find({question.user, question.key});
      if (found == nullptr || now - found->asked_at >= options_.cache_for) return std::nullopt;
      answers.emplace_back(question, grant_of(question, *found, now));
    }
    return answers;
  }

  /// Takes as many waiting questions as fit into one call and sends it.
  void next_call() {
    if (waiting_.empty()) return;
    if (!breaker_.allows()) return refuse_all();
    std::set<core::UserId> users;
    std::set<std::string> keys;
    while (!waiting_.empty()) {
      auto more_users = users;
      auto more_keys = keys;
      for (const GrantQuestion& question : waiting_.front().questions) {
        more_users.insert(question.user);
        more_keys.insert(question.key);
      }
      const bool fits =
          more_users.size() <= options_.max_users_per_call && more_keys.size() <= options_.max_keys_per_call;
      if (!fits && !asking_.empty()) break;
      users = std::move(more_users);
      keys = std::move(more_keys);
      asking_.push_back(std::move(waiting_.front()));
      waiting_.pop_front();
    }
    send_call(users, keys);
  }

  void send_call(const std::set<core::UserId>& users, const std::set<std::string>& keys) {
    json body{{"users", json::array()}, {"keys", json::array()}};
    for (const auto& user : users) body["users"].push_back(user.value.text());
    for (const auto& key : keys) body["keys"].push_back(key);
    in_flight_ = true;
    cache_.call_leaves();
    breaker_.trying();
    metrics_.provider_requests.add();
    outbound::HttpCall call;
    call.method = "POST";
    call.url = options_.url;
    call.headers = {{"Content-Type", "application/json"}, {"Accept", "application/json"}, {"Expect", ""}};
    call.body = body.dump();
    call.timeout = options_.timeout;
    send_(std::move(call),
          [weak = weak_from_this(), asked_at = clock_.now()](core::Result<outbound::HttpAnswer> answer) {
            if (const auto self = weak.lock()) self->answered(std::move(answer), asked_at);
          });
  }

  void answered(core::Result<outbound::HttpAnswer> answer, TimePoint asked_at) {
    in_flight_ = false;
    std::optional<std::map<CacheKey, Known>> known;
    if (answer && answer->status == 200) known = parse_answer(answer->body, asked_at);
    auto asked = std::exchange(asking_, {});
    if (!known) {
      metrics_.provider_failures.add();
      breaker_.failed();
      telemetry::warn("entitlement_provider_failed",
                      {{"status", answer ? answer->status : 0},
                       {"hint", "decisions that need it are answered 503 until it is back"}});
      cache_.call_ended();
      for (Waiting& one : asked) one.done(fail(silent()));
    } else {
      breaker_.succeeded();
      std::vector<Answers> answers;
      for (const Waiting& one : asked) answers.push_back(take(one.questions, *known, asked_at));
      cache_.call_ended();
      for (std::size_t i = 0; i < asked.size(); ++i) asked[i].done(std::move(answers[i]));
    }
    if (!in_flight_) next_call();
  }

  Answers take(const std::vector<GrantQuestion>& questions, const std::map<CacheKey, Known>& known,
               TimePoint asked_at) {
    const TimePoint now = clock_.now();
    Answers answers;
    for (const GrantQuestion& question : questions) {
      const CacheKey key{question.user, question.key};
      const auto found = known.find(key);
      const Known value = found == known.end() ? Known{false, std::nullopt, asked_at} : found->second;
      cache_.remember(key, value);
      answers.emplace_back(question, grant_of(question, value, now));
    }
    return answers;
  }

  void refuse_all() {
    for (Waiting& one : std::exchange(waiting_, {})) one.done(fail(silent()));
  }

  const GrantServiceOptions options_;
  const Send send_;
  const core::Clock& clock_;
  telemetry::Metrics& metrics_;
  outbound::Breaker breaker_;
  KnownGrants cache_;
  std::deque<Waiting> waiting_;
  std::vector<Waiting> asking_;
  bool in_flight_ = false;
};

GrantService::GrantService(GrantServiceOptions options, Send send, const core::Clock& clock,
                           telemetry::Metrics& metrics)
    : impl_(std::make_shared<Impl>(std::move(options), std::move(send), clock, metrics)) {}
GrantService::~GrantService() = default;

void GrantService::ask(std::vector<domain::GrantQuestion> questions, bool fresh,
                       std::move_only_function<void(core::Result<Answers>)> done) {
  impl_->ask(std::move(questions), fresh, std::move(done));
}

void GrantService::forget(core::UserId user) { impl_->forget(user); }

}  // namespace belfry::auth
