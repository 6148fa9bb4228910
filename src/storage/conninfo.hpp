#pragma once

#include <chrono>
#include <string>
#include <string_view>

namespace belfry::storage {

/// What every connection of ours must have, whatever the operator's URL says.
struct ConnectionSettings {
  std::string_view application_name = "belfry";
  std::chrono::milliseconds lock_timeout{250};
  std::chrono::milliseconds statement_timeout{5000};
  std::chrono::milliseconds idle_in_transaction_timeout{2000};
  bool synchronous_commit = true;
  bool primary_only = true;  ///< a standby answers with what was true once: content that is revoked or deleted since
};

/// The operator's URL (URI or key=value) with our settings added: limits and formats as start-up options, so that a
/// connection never lives without them; connect timeout, keepalives and name only where the URL does not set them
/// itself. Start-up options of the URL come first, so ours win.
std::string make_conninfo(const std::string& url, const ConnectionSettings& settings);

/// `text` with the password of `url` blotted out, for logs.
std::string without_password(std::string text, const std::string& url);

}  // namespace belfry::storage
