#include "belfry/realtime/nats_bus.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <random>
#include <thread>
#include <unordered_set>
#include <utility>

#include "belfry/telemetry/log.hpp"
#include "nats_link.hpp"

namespace belfry::realtime {

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds kBeat{1000};
/// Silence after which what is published is thought lost, and after which another connection is tried.
constexpr milliseconds kSilence{2500};
constexpr milliseconds kGiveUp{5000};
constexpr milliseconds kFlush{200};
constexpr milliseconds kFirstFlush{1000};
constexpr milliseconds kFirstBackoff{100};
constexpr milliseconds kLongestBackoff{3000};
/// Rooms that may wait to be told of; the sweep of the others finds what is beyond.
constexpr std::size_t kMaxGrown = 10'000;
/// Events of a room that are told at once; a reader reads the rest faster than it would hear it.
constexpr std::size_t kMaxEvents = 256;

class NatsBus final : public domain::Bus {
 public:
  NatsBus(NatsOptions options, NatsInbox::Poster poster, telemetry::Metrics& metrics)
      : options_(std::move(options)),
        server_{options_.servers.front(), options_.ca_file},
        poster_(std::move(poster)),
        metrics_(metrics),
        inbox_(NatsInbox::make(poster_, metrics, [this] { wake(); })) {}
  ~NatsBus() override { stop(); }

  void publish(const domain::CommitNotice& notice) override {
    if (!alive_) return;  // whoever hears the bus again sweeps
    {
      const std::lock_guard lock(mutex_);
      for (const auto& growth : notice.rooms) {
        if (growth.events.empty()) continue;
        domain::LogHint hint{growth.room, growth.events.back()->seq, growth.events, notice.timeline};
        const auto known = work_.grown.find(growth.room);
        if (known != work_.grown.end()) {
          merge(known->second, std::move(hint), kMaxEvents);
        } else if (work_.grown.size() < kMaxGrown) {
          work_.grown.emplace(growth.room, std::move(hint));
        }
      }
    }
    changed_.notify_one();
  }

  void follow(const domain::RoomKey& room, Ready ready) override {
    const bool wait = alive_;
    {
      const std::lock_guard lock(mutex_);
      auto& wish = work_.wishes[room];
      wish.follow = true;
      if (wait) wish.ready.push_back(std::move(ready));
    }
    changed_.notify_one();
    if (!wait) ready();
  }

  void unfollow(const domain::RoomKey& room) override {
    {
      const std::lock_guard lock(mutex_);
      work_.wishes[room].follow = false;
    }
    changed_.notify_one();
  }

  void on_hint(std::function<void(std::optional<domain::LogHint>)> hint) override { inbox_.on_hint(std::move(hint)); }

  void start() override {
    thread_ = std::thread([this] { run(); });
  }

  void stop() override {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_all();
    if (thread_.joinable()) thread_.join();
    inbox_.close();
  }

 private:
  struct Wish {
    bool follow = false;
    std::vector<Ready> ready;
  };
  struct Work {
    std::unordered_map<domain::RoomKey, Wish> wishes;
    std::unordered_map<domain::RoomKey, domain::LogHint> grown;
    bool empty() const { return wishes.empty() && grown.empty(); }
  };

  void wake() {
    {
      const std::lock_guard lock(mutex_);
      woken_ = true;
    }
    changed_.notify_one();
  }

  void run() {
    while (!stopping()) {
      try {
        turn();
      } catch (const std::exception& e) {
        lose(e.what());
      }
    }
    alive_ = false;
    metrics_.bus_alive.set(0);
    link_.reset();
  }

  /// Connects when it is time to, does what was asked, then sends and judges heartbeats.
  void turn() {
    if (!link_ && Clock::now() >= next_) open();
    do_work(take());
    if (!link_) return;
    if (!link_->connected()) return lose("disconnected");
    judge();
    if (link_ && Clock::now() >= next_) {
      link_->beat();
      next_ = Clock::now() + kBeat;
    }
  }

  Work take() {
    std::unique_lock lock(mutex_);
    changed_.wait_until(lock, next_, [this] { return stopping_ || woken_ || !work_.empty(); });
    woken_ = false;
    return std::exchange(work_, {});
  }

  bool stopping() {
    const std::lock_guard lock(mutex_);
    return stopping_;
  }

  void open() {
    if (!hints_) {
      auto deployment = options_.deployment();
      if (!deployment) return lose("the database has not told its name: " + deployment.error().message);
      hints_ = std::make_shared<const NatsHints>(deployment->name, std::move(deployment->key));
      inbox_.understand(hints_);
    }
    server_.url = options_.servers[attempts_++ % options_.servers.size()];
    std::string error;
    link_ = NatsLink::open(server_, hints_, inbox_, error);
    if (!link_) return lose(error);
    opened_at_ = Clock::now();
    bool whole = link_->subscribe(domain::kAccessLog);
    for (const auto& room : followed_) whole = whole && link_->subscribe(room);
    if (!whole || !link_->flush(kFirstFlush)) return lose("the subscriptions were not taken");
    link_->beat();
    next_ = Clock::now() + kBeat;
  }

  /// Messages arrive, do not, or have not for so long that another connection may fare better.
  void judge() {
    const auto heard = inbox_.heard_at();
    const auto silence = Clock::now() - heard.value_or(opened_at_);
    if (silence > kGiveUp) return lose("the heartbeat does not come back");
    if (heard && silence <= kSilence) {
      backoff_ = {};
      if (!alive_.exchange(true)) restored();
    } else if (silence > kSilence) {
      if (alive_) note_lost("the heartbeat does not come back");
    }
  }

  void restored() {
    metrics_.bus_alive.set(1);
    if (std::exchange(told_lost_, false)) {
      telemetry::info("bus_restored", {{"server", server_.place()}});
    } else {
      telemetry::info("bus_connected", {{"server", server_.place()}});
    }
    inbox_.may_have_grown();  // what was said while nobody listened
  }

  void lose(std::string_view why) {
    link_.reset();
    note_lost(why);
    backoff_ = std::clamp(backoff_ * 2, kFirstBackoff, kLongestBackoff);
    std::uniform_int_distribution<std::int64_t> jitter(backoff_.count() / 2, backoff_.count());
    next_ = Clock::now() + milliseconds(jitter(random_));
  }

  /// Told once, however often connecting fails.
  void note_lost(std::string_view why) {
    alive_ = false;
    metrics_.bus_alive.set(0);
    if (std::exchange(told_lost_, true)) return;
    telemetry::warn("bus_lost", {{"server", server_.place()}, {"error", why}});
    inbox_.may_have_grown();
  }

  void do_work(Work work) {
    std::vector<Ready> ready;
    bool whole = true;
    for (auto& [room, wish] : work.wishes) {
      if (wish.follow) {
        followed_.insert(room);
        if (link_) whole = link_->subscribe(room) && whole;
      } else {
        followed_.erase(room);
        if (link_) link_->unsubscribe(room);
      }
      std::ranges::move(wish.ready, std::back_inserter(ready));
    }
    if (link_) {
      for (const auto& [room, hint] : work.grown) tell(hint);
    }
    // The room would be followed in name only: the next connection subscribes to all that is followed.
    if (!whole) lose("a subscription was not taken");
    if (ready.empty()) return;
    // After this the server routes to us what is published: a head that is read later misses nothing.
    if (link_ && alive_) link_->flush(kFlush);
    poster_([ready = std::move(ready)]() mutable {
      for (auto& one : ready) one();
    });
  }

  void tell(const domain::LogHint& hint) {
    const auto subject = hints_->room(hint.room);
    for (const auto& text : hints_->say(hint, link_->max_payload())) {
      link_->publish(subject, text);
      metrics_.bus_published.add();
      if (text.contains('\n')) metrics_.bus_published_with_events.add();
    }
  }

  NatsOptions options_;
  NatsServer server_;  // the bus's thread only
  NatsInbox::Poster poster_;
  telemetry::Metrics& metrics_;
  NatsInbox& inbox_;
  std::atomic<bool> alive_{false};

  std::mutex mutex_;
  std::condition_variable changed_;
  Work work_;
  bool woken_ = false;
  bool stopping_ = false;

  // The bus's thread only.
  std::shared_ptr<const NatsHints> hints_;
  std::unique_ptr<NatsLink> link_;
  std::unordered_set<domain::RoomKey> followed_;
  std::size_t attempts_ = 0;
  Clock::time_point opened_at_{};
  Clock::time_point next_{};  ///< of the heartbeat, or of the next attempt to connect
  milliseconds backoff_{0};
  bool told_lost_ = false;
  std::minstd_rand random_{std::random_device{}()};
  std::thread thread_;
};

}  // namespace

std::unique_ptr<domain::Bus> make_nats_bus(NatsOptions options, NatsInbox::Poster poster, telemetry::Metrics& metrics) {
  return std::make_unique<NatsBus>(std::move(options), std::move(poster), metrics);
}

}  // namespace belfry::realtime
