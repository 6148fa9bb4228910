#pragma once

#include "belfry/domain/page.hpp"
#include "belfry/domain/unit_of_work.hpp"

/// What concerns a user rather than a room: grants, access-changed, the admin's view of a user, tickets.
namespace belfry::domain {

using core::Result;

/// Write jobs by admins. Each change is one record in the access log. kConflict ENTITLEMENTS_EXTERNAL with an external
/// provider.
Result<Grant> set_grant(UnitOfWork& work, const Actor& admin, UserId user, const Grant& grant);
Result<void> revoke_grant(UnitOfWork& work, const Actor& admin, UserId user, GrantKind kind, const std::string& key);
/// Appends a record to the access log that makes every node decide this user again.
Result<void> record_access_changed(UnitOfWork& work, const Actor& admin, UserId user);

struct UserReport {
  User user;
  std::vector<Grant> grants;
  std::vector<Membership> joined;
  std::vector<Sanction> sanctions;
};
Result<UserReport> report_user(UnitOfWork& work, UserId user);

inline constexpr std::chrono::seconds kTicketLifetime{30};
/// Write job. `secret_hash` is SHA-256 of the secret that the caller keeps; answers with the ticket's end.
Result<TimePoint> issue_ticket(UnitOfWork& work, const Actor& actor, const std::string& secret_hash,
                               TimePoint session_expires_at);
/// Write job. kUnauthorized TOKEN_INVALID unless this call uses the ticket up.
Result<Ticket> redeem_ticket(UnitOfWork& work, const std::string& secret_hash);

Result<Page<AuditEntry>> list_audit(UnitOfWork& work, const AuditQuery& query);

}  // namespace belfry::domain
