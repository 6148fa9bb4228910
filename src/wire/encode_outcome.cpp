#include "belfry/wire/json.hpp"
#include "wire/writer.hpp"

namespace belfry::wire {
namespace {

void write_reason(JsonWriter& out, const core::Error& error) {
  if (error.reason != core::Reason::kNone) out.field("reason", core::reason_name(error.reason));
  if (error.muted) out.field("mutedUntil", error.muted_until);
  if (error.reason == core::Reason::kSlowMode) out.field("retryAfterSeconds", error.retry_after_seconds);
}

void write_details(JsonWriter& out, const core::Error& error) {
  if (error.details.empty()) return;
  out.key("details");
  out.begin_array();
  for (const auto& detail : error.details) {
    out.begin_object();
    out.field("field", detail.field);
    out.field("issue", detail.issue);
    out.end_object();
  }
  out.end_array();
}

}  // namespace

std::string encode_success(std::string_view message, std::string_view data) {
  JsonWriter out;
  out.begin_object();
  out.field("message", message);
  out.raw_field("data", data);
  out.end_object();
  return std::move(out).text();
}

std::string encode_problem(const core::Error& error, int status, std::string_view request_id) {
  JsonWriter out;
  out.begin_object();
  out.field("statusCode", status);
  out.field("code", core::error_class(error.code).name);
  out.field("message", error.message);
  write_reason(out, error);
  write_details(out, error);
  out.field("requestId", request_id);
  out.end_object();
  return std::move(out).text();
}

std::string encode_room_error(const core::Error& error) {
  JsonWriter out;
  out.begin_object();
  out.field("code", core::error_class(error.code).websocket);
  out.field("message", error.message);
  write_reason(out, error);
  write_details(out, error);
  out.end_object();
  return std::move(out).text();
}

}  // namespace belfry::wire
