#include "pg/harness.hpp"

#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <optional>
#include <stdexcept>

#include <gtest/gtest.h>

#include "belfry/storage/postgres.hpp"

namespace belfry::pgtest {
namespace {

constexpr const char* kTemplate = "belfry_template";

std::string url_in(const std::string& folder, const std::string& database) {
  return "postgresql://postgres@/" + database + "?host=" + folder;
}

void run_script(const std::string& action, const std::string& place) {
  const std::string command =
      std::string("'") + BELFRY_PYTHON + "' '" + BELFRY_PG_SCRIPT + "' " + action + " '" + place + "' >&2";
  if (std::system(command.c_str()) != 0) throw std::runtime_error("the test cluster does not " + action);
}

/// The folder named by `place`, if a server answers there.
std::optional<std::string> living_cluster(const std::string& place) {
  std::ifstream file(place);
  std::string folder;
  if (!std::getline(file, folder)) return std::nullopt;
  try {
    pqxx::connection probe(url_in(folder, "postgres"));
    return folder;
  } catch (const pqxx::broken_connection&) {
    return std::nullopt;
  }
}

bool own_cluster = false;

/// The cluster of this process: the fixture's, or one of its own that ends with it.
class Cluster {
 public:
  Cluster() {
    auto folder = own_cluster ? std::nullopt : living_cluster(BELFRY_PG_PLACE);
    if (!folder) {
      own_place_ = std::string(BELFRY_PG_PLACE) + "." + std::to_string(::getpid());
      run_script("start", own_place_);
      folder = living_cluster(own_place_);
    }
    folder_ = folder.value();
    make_template();
  }
  ~Cluster() {
    if (!own_place_.empty()) run_script("stop", own_place_);
  }
  Cluster(const Cluster&) = delete;
  Cluster& operator=(const Cluster&) = delete;

  std::string url(const std::string& database) const { return url_in(folder_, database); }

  /// Statements that cannot run in a transaction, one binary of a ctest run at a time.
  void administer(const std::string& sql) {
    pqxx::connection connection(url("postgres"));
    pqxx::nontransaction work(connection);
    work.exec("SELECT pg_advisory_lock(7316)");
    work.exec(sql);
  }

 private:
  /// Only a finished template is marked as one, so that a binary killed half-way leaves nothing that others trust.
  void make_template() {
    pqxx::connection connection(url("postgres"));
    pqxx::nontransaction work(connection);
    work.exec("SELECT pg_advisory_lock(7316)");
    const auto name = work.quote(std::string(kTemplate));
    if (!work.exec("SELECT FROM pg_database WHERE datistemplate AND datname = " + name).empty()) return;
    work.exec(std::string("DROP DATABASE IF EXISTS ") + kTemplate + " WITH (FORCE)");
    work.exec(std::string("CREATE DATABASE ") + kTemplate);
    const auto migrated = storage::migrate(url(kTemplate), [](const std::string&) {});
    if (!migrated) throw std::runtime_error("the template does not migrate: " + migrated.error().message);
    work.exec(std::string("ALTER DATABASE ") + kTemplate + " IS_TEMPLATE true");
  }

  std::string folder_;
  std::string own_place_;
};

std::unique_ptr<Cluster> the_cluster;
std::unique_ptr<TestDatabase> the_database;

Cluster& cluster() {
  if (!the_cluster) the_cluster = std::make_unique<Cluster>();
  return *the_cluster;
}

class Cleanup : public testing::Environment {
 public:
  void TearDown() override {
    the_database.reset();
    the_cluster.reset();
  }
};
const testing::Environment* const kCleanup = testing::AddGlobalTestEnvironment(new Cleanup);

}  // namespace

bool want_own_cluster() { return own_cluster = true; }

TestDatabase::TestDatabase() {
  static std::atomic<int> made{0};
  name_ = "t_" + std::to_string(::getpid()) + "_" + std::to_string(++made);
  cluster().administer("CREATE DATABASE " + name_ + " TEMPLATE " + kTemplate);
  url_ = cluster().url(name_);
}

TestDatabase::~TestDatabase() {
  try {
    cluster().administer("DROP DATABASE IF EXISTS " + name_ + " WITH (FORCE)");
  } catch (const std::exception& error) {
    ADD_FAILURE() << "database " << name_ << " stays behind: " << error.what();
  }
}

TestDatabase& database() {
  if (!the_database) the_database = std::make_unique<TestDatabase>();
  return *the_database;
}

Transaction::Transaction(const std::string& url)
    : connection_(url), work_(connection_.raw()), session_(connection_, work_) {}

void wait_until_blocked(const std::string& url) {
  pqxx::connection connection(url);
  pqxx::nontransaction work(connection);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{10};
  while (work.exec("SELECT FROM pg_locks JOIN pg_stat_activity USING (pid) "
                   "WHERE NOT granted AND locktype = 'transactionid' AND datname = current_database()")
             .empty()) {
    if (std::chrono::steady_clock::now() > deadline) throw std::runtime_error("no transaction waits for another");
  }
}

}  // namespace belfry::pgtest
