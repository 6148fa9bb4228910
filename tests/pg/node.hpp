#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "belfry/domain/channels.hpp"
#include "belfry/domain/discussions.hpp"
#include "belfry/storage/postgres.hpp"
#include "pg/harness.hpp"
#include "pg/rows.hpp"
#include "storage/tables/channels.hpp"
#include "storage/tables/threads.hpp"
#include "storage/unit_of_work.hpp"

/// A node's database with an I/O thread of its own, for tests of the engine.
namespace belfry::pgtest {

/// Stands for the I/O thread: runs what is posted, in order.
class IoThread {
 public:
  IoThread() : thread_([this] { run(); }) {}
  ~IoThread() {
    post({});
    thread_.join();
  }
  void post(std::move_only_function<void()> task) {
    {
      const std::lock_guard lock(mutex_);
      tasks_.push_back(std::move(task));
    }
    changed_.notify_one();
  }
  storage::Poster poster() {
    return [this](std::move_only_function<void()> task) { post(std::move(task)); };
  }

 private:
  void run() {
    while (true) {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return !tasks_.empty(); });
      auto task = std::move(tasks_.front());
      tasks_.pop_front();
      lock.unlock();
      if (!task) return;
      task();
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::move_only_function<void()>> tasks_;
  std::thread thread_;
};

/// Waits for a condition that another thread makes true; false after `limit`.
template <class Condition>
bool eventually(Condition condition, std::chrono::milliseconds limit = std::chrono::seconds{10}) {
  const auto until = std::chrono::steady_clock::now() + limit;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds{2});
  }
  return true;
}

class Node {
 public:
  explicit Node(storage::DatabaseOptions options, domain::GrantProvider* provider = nullptr)
      : database(std::move(options), io.poster(), metrics,
                 {.on_commit =
                      [this](std::shared_ptr<const domain::CommitNotice> notice) {
                        const std::lock_guard lock(mutex_);
                        notices_.push_back(std::move(notice));
                      },
                  .on_restored = [this] { ++restored; },
                  .on_grew = [this](const domain::CommitNotice&) { ++grown; }},
                 provider) {
    database.start();
  }
  ~Node() { database.stop(); }

  std::future<core::Result<void>> submit(domain::JobMode mode, domain::Database::Body body,
                                         domain::JobOptions options = {.name = "test"}) {
    auto promise = std::make_shared<std::promise<core::Result<void>>>();
    auto future = promise->get_future();
    database.submit(mode, options, std::move(body),
                    [promise](core::Result<void> result) { promise->set_value(std::move(result)); });
    return future;
  }
  core::Result<void> write(domain::Database::Body body, domain::JobOptions options = {.name = "test"}) {
    return submit(domain::JobMode::kWrite, std::move(body), options).get();
  }
  core::Result<void> read(domain::Database::Body body, domain::JobOptions options = {.name = "test"}) {
    return submit(domain::JobMode::kRead, std::move(body), options).get();
  }
  std::future<core::Result<domain::CreatedMessage>> message(domain::CreateMessage command,
                                                            domain::JobOptions options = {.name = "test"}) {
    auto promise = std::make_shared<std::promise<core::Result<domain::CreatedMessage>>>();
    auto future = promise->get_future();
    database.create_message(std::move(command), options, [promise](core::Result<domain::CreatedMessage> result) {
      promise->set_value(std::move(result));
    });
    return future;
  }
  std::vector<std::shared_ptr<const domain::CommitNotice>> notices() const {
    const std::lock_guard lock(mutex_);
    return notices_;
  }

  std::atomic<int> restored{0};
  std::atomic<int> grown{0};
  telemetry::Metrics metrics;

 private:
  mutable std::mutex mutex_;
  std::vector<std::shared_ptr<const domain::CommitNotice>> notices_;

 public:
  IoThread io;
  storage::PostgresDatabase database;
};

inline storage::DatabaseOptions options_for(const std::string& url, int connections = 4) {
  storage::DatabaseOptions options;
  options.url = url;
  options.connections = connections;
  return options;
}

inline domain::Actor user_actor(domain::UserId id = any_user()) {
  return {.type = domain::ActorType::kUser, .id = id, .username = "ann", .picture = {}};
}
inline domain::Actor admin_actor() {
  return {.type = domain::ActorType::kAdmin, .id = any_user(), .username = "root", .picture = {}};
}

/// A channel with a discussion, made in the database directly.
struct Place {
  domain::ChannelId channel;
  domain::ThreadId thread;
  domain::RoomKey posts() const { return domain::posts_room(channel); }
  domain::RoomKey talk() const { return domain::discussion_room(thread); }
};

inline Place make_place(const std::string& url) {
  Transaction transaction(url);
  storage::PgChannels channels(transaction.session());
  storage::PgThreads threads(transaction.session());
  Place place;
  place.channel = channels.insert(open_channel());
  place.thread = threads.insert(any_discussion(place.channel));
  transaction.commit();
  return place;
}

/// The transaction behind a job, for statements of the test's own.
inline pqxx::transaction_base& sql_of(domain::UnitOfWork& work) {
  return dynamic_cast<storage::PgUnitOfWork&>(work).session().transaction();
}

/// The server fails with this SQLSTATE.
inline void raise(domain::UnitOfWork& work, const std::string& sqlstate) {
  sql_of(work).exec("DO $$ BEGIN RAISE EXCEPTION 'made by a test' USING ERRCODE = '" + sqlstate + "'; END $$");
}

/// A draft that needs no row of its own.
inline domain::EventDraft control_draft(domain::ControlKind kind = domain::ControlKind::kPolicy) {
  domain::EventDraft draft;
  draft.type = domain::EventType::kControl;
  draft.payload = domain::ControlPayload{{domain::ActorType::kAdmin, any_user()}, kind, std::nullopt};
  return draft;
}

inline domain::EventDraft message_draft(const Place& place, std::int64_t id, std::string body = "hello",
                                        domain::EventType type = domain::EventType::kMessageCreated) {
  domain::EventDraft draft;
  draft.type = type;
  draft.entity_id = id;
  auto message = any_message(place.thread, as_user(any_user()), std::move(body));
  message.id = {id};
  message.channel_id = place.channel;
  draft.payload = domain::MessagePayload{message.author.ref, message};
  return draft;
}

/// A write job's body that locks one room and appends `count` events.
inline domain::Database::Body append_to(const domain::RoomKey& room, const Place& place, int count = 1) {
  return [=](domain::UnitOfWork& work) -> core::Result<void> {
    if (auto locked = work.lock(std::span(&room, 1)); !locked) return locked;
    for (int i = 0; i < count; ++i) work.append(room, message_draft(place, 1'000'000 + i));
    return {};
  };
}

/// Returns when nobody keeps house in that database.
inline void wait_for_housekeeping(const std::string& url) {
  Transaction holder(url);
  holder.sql().exec("SELECT pg_advisory_xact_lock(hashtext('belfry housekeeping'))");
}

}  // namespace belfry::pgtest
