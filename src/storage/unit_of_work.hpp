#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "belfry/domain/database.hpp"
#include "storage/log.hpp"
#include "storage/log_writer.hpp"
#include "storage/session.hpp"
#include "storage/tables/audit.hpp"
#include "storage/tables/channels.hpp"
#include "storage/tables/grants.hpp"
#include "storage/tables/idempotency.hpp"
#include "storage/tables/memberships.hpp"
#include "storage/tables/messages.hpp"
#include "storage/tables/posts.hpp"
#include "storage/tables/read_states.hpp"
#include "storage/tables/sanctions.hpp"
#include "storage/tables/threads.hpp"
#include "storage/tables/tickets.hpp"
#include "storage/tables/users.hpp"

namespace belfry::storage {

/// One transaction on one connection. Begins when made; rolls back when dropped without `commit`.
class PgUnitOfWork final : public domain::UnitOfWork {
 public:
  /// `external`: answers of the entitlement provider, null when grants are our own. `held`: rooms that may not be worth
  /// waiting for; null: every room is. Both must outlive this object.
  PgUnitOfWork(Connection& connection, domain::JobMode mode, std::chrono::milliseconds retention,
               const domain::GrantProvider::Answers* external, HeldRooms* held = nullptr);
  ~PgUnitOfWork() override;
  PgUnitOfWork(const PgUnitOfWork&) = delete;
  PgUnitOfWork& operator=(const PgUnitOfWork&) = delete;

  /// Writes what was appended and commits, which waits for the standbys that are to have it, also when nothing was
  /// written: then they have what was found. A read job's COMMIT is left to the connection. Throws CommitInDoubt when
  /// the connection dies at COMMIT, CommitNotReplicated when standbys that should have it may not.
  void commit();
  /// What was appended; null when nothing was.
  std::shared_ptr<domain::CommitNotice> notice() const { return writer_.notice(); }
  Session& session() { return session_; }

  core::TimePoint now() override;
  core::Result<void> lock(std::span<const domain::RoomKey> rooms) override;
  void adopt(const domain::RoomKey& room) override { writer_.adopt(room); }
  domain::EventId append(const domain::RoomKey& room, domain::EventDraft draft) override {
    return writer_.append(room, std::move(draft));
  }
  std::int64_t next_seq(const domain::RoomKey& room) override { return writer_.next_seq(room); }

  std::vector<domain::RoomPlace> places(std::span<const domain::RoomKey> rooms) override;
  std::optional<std::string> node_key(std::string_view purpose) override;

  domain::ChannelRepository& channels() override { return channels_; }
  domain::PostRepository& posts() override { return posts_; }
  domain::ThreadRepository& threads() override { return threads_; }
  domain::MessageRepository& messages() override { return messages_; }
  domain::MembershipRepository& memberships() override { return memberships_; }
  domain::ReadStateRepository& read_states() override { return read_states_; }
  domain::GrantRepository& grants() override { return grants_; }
  domain::SanctionRepository& sanctions() override { return sanctions_; }
  domain::UserRepository& users() override { return users_; }
  domain::TicketRepository& tickets() override { return tickets_; }
  domain::AuditRepository& audit() override { return audit_; }
  domain::IdempotencyRepository& idempotency() override { return idempotency_; }
  domain::LogRepository& log() override { return log_; }

 private:
  Connection& connection_;
  domain::JobMode mode_;
  pqxx::nontransaction
      transaction_;  ///< BEGIN and COMMIT are ours: libpqxx would spend a round trip on each of its own
  Session session_;
  bool open_ = false;
  core::TimePoint began_at_;
  LogWriter writer_;
  PgLog log_;
  // Repositories are a reference each; making them costs nothing.
  PgChannels channels_;
  PgPosts posts_;
  PgThreads threads_;
  PgMessages messages_;
  PgMemberships memberships_;
  PgReadStates read_states_;
  PgGrants grants_;
  PgSanctions sanctions_;
  PgUsers users_;
  PgTickets tickets_;
  PgAudit audit_;
  PgIdempotency idempotency_;
};

}  // namespace belfry::storage
