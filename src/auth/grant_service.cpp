#include "belfry/auth/grant_service.hpp"

#include <algorithm>
#include <deque>
#include <map>
#include <set>
#include <span>
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

/// Whom and what one call asks about.
class Asked {
 public:
  explicit Asked(const GrantServiceOptions& options) : options_(&options) {}

  /// Adds questions as long as they fit into a call; how many did.
  std::size_t add(std::span<const GrantQuestion> questions) {
    std::size_t added = 0;
    for (; added < questions.size() && fits(questions[added]); ++added) {
      users_.insert(questions[added].user);
      keys_.insert(questions[added].key);
    }
    return added;
  }
  std::string body() const {
    json body{{"users", json::array()}, {"keys", json::array()}};
    for (const auto& user : users_) body["users"].push_back(user.value.text());
    for (const auto& key : keys_) body["keys"].push_back(key);
    return body.dump();
  }

 private:
  bool fits(const GrantQuestion& question) const {
    const auto users = users_.size() + (users_.contains(question.user) ? 0 : 1);
    const auto keys = keys_.size() + (keys_.contains(question.key) ? 0 : 1);
    return users <= options_->max_users_per_call && keys <= options_->max_keys_per_call &&
           users * keys <= options_->max_pairs_per_call;
  }

  const GrantServiceOptions* options_;
  std::set<core::UserId> users_;
  std::set<std::string> keys_;
};

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
    if (!fresh || questions.empty()) {
      if (auto answers = from_cache(questions)) return done(std::move(*answers));
    }
    if (waiting_.size() >= kMaxWaiting) return done(fail(silent()));
    waiting_.push_back({std::move(questions), std::move(done), {}, 0});
    if (!in_flight_) next_call();
  }

  void forget(core::UserId user) { cache_.forget(user); }

 private:
  struct Waiting {
    std::vector<GrantQuestion> questions;
    Done done;
    std::vector<Known> known;  ///< of the first of them
    std::size_t sent = 0;      ///< up to here they are known, or asked by the call on its way

    std::span<const GrantQuestion> open() const { return std::span(questions).subspan(known.size()); }
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
      // From the future: the clock was set back, and nobody knows how old it is.
      if (found == nullptr || now < found->asked_at || now - found->asked_at >= options_.cache_for) return std::nullopt;
      answers.emplace_back(question, grant_of(question, *found, now));
    }
    return answers;
  }

  /// Takes as many waiting questions as fit into one call and sends it. What does not fit into a call of its own is
  /// cut, and its part goes alone.
  void next_call() {
    if (waiting_.empty()) return;
    if (!breaker_.allows()) return refuse_all();
    Asked asked(options_);
    for (bool cut = false; !waiting_.empty() && !cut;) {
      Waiting& one = waiting_.front();
      Asked more = asked;
      const std::size_t added = more.add(one.open());
      cut = added < one.open().size();
      if (cut && !asking_.empty()) break;
      asked = std::move(more);
      one.sent = one.known.size() + added;
      asking_.push_back(std::move(one));
      waiting_.pop_front();
    }
    send_call(asked.body());
  }

  void send_call(std::string body) {
    in_flight_ = true;
    cache_.call_leaves();
    breaker_.trying();
    metrics_.provider_requests.add();
    outbound::HttpCall call;
    call.method = "POST";
    call.url = options_.url;
    call.headers = {{"Content-Type", "application/json"}, {"Accept", "application/json"}, {"Expect", ""}};
    call.body = std::move(body);
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
      for (Waiting& one : asked) take(one, *known, asked_at);
      cache_.call_ended();
      if (!asked.back().open().empty()) {
        waiting_.push_front(std::move(asked.back()));
        asked.pop_back();
      }
      for (Waiting& one : asked) one.done(answers_of(one));
    }
    if (!in_flight_) next_call();
  }

  void take(Waiting& one, const std::map<CacheKey, Known>& known, TimePoint asked_at) {
    while (one.known.size() < one.sent) {
      const GrantQuestion& question = one.open().front();
      const CacheKey key{question.user, question.key};
      const auto found = known.find(key);
      one.known.push_back(found == known.end() ? Known{false, std::nullopt, asked_at} : found->second);
      cache_.remember(key, one.known.back());
    }
  }

  Answers answers_of(const Waiting& one) const {
    const TimePoint now = clock_.now();
    Answers answers;
    for (std::size_t i = 0; i < one.questions.size(); ++i) {
      answers.emplace_back(one.questions[i], grant_of(one.questions[i], one.known[i], now));
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
