#include "belfry/telemetry/metrics.hpp"

#include <functional>
#include <vector>

#include <fmt/core.h>

namespace belfry::telemetry {
namespace {

/// One metric as the outside sees it; `render` appends its samples.
struct Family {
  std::string_view name;
  std::string_view type;
  std::string_view help;
  std::function<void(std::string& out, std::string_view name, MetricsParts parts)> render;
};

std::uint64_t count(MetricsParts parts, Counter Metrics::* member) {
  std::uint64_t total = 0;
  for (const Metrics* part : parts) total += (part->*member).value();
  return total;
}

Family counter(std::string_view name, std::string_view help, Counter Metrics::* member) {
  return {name, "counter", help, [member](std::string& out, std::string_view n, MetricsParts parts) {
            fmt::format_to(std::back_inserter(out), "{} {}\n", n, count(parts, member));
          }};
}

Family gauge(std::string_view name, std::string_view help, Gauge Metrics::* member) {
  return {name, "gauge", help, [member](std::string& out, std::string_view n, MetricsParts parts) {
            fmt::format_to(std::back_inserter(out), "{} {}\n", n, sum(parts, member));
          }};
}

Family histogram(std::string_view name, std::string_view help, Histogram Metrics::* member) {
  return {name, "histogram", help, [member](std::string& out, std::string_view n, MetricsParts parts) {
            std::uint64_t below = 0;
            const auto add = [&](std::size_t i) {
              for (const Metrics* part : parts) below += (part->*member).bucket(i);
            };
            for (std::size_t i = 0; i < Histogram::kBounds.size(); ++i) {
              add(i);
              fmt::format_to(std::back_inserter(out), "{}_bucket{{le=\"{}\"}} {}\n", n, Histogram::kBounds[i], below);
            }
            add(Histogram::kBounds.size());
            double seconds = 0;
            for (const Metrics* part : parts) seconds += (part->*member).sum_seconds();
            fmt::format_to(std::back_inserter(out), "{0}_bucket{{le=\"+Inf\"}} {1}\n{0}_sum {2}\n{0}_count {1}\n", n,
                           below, seconds);
          }};
}

/// One sample for each value of a label, in the order of the counters; one whose value is empty is not shown.
template <std::size_t N>
Family counters(std::string_view name, std::string_view help, std::array<Counter, N> Metrics::* member,
                std::string_view label, const std::array<std::string_view, N>& values) {
  return {name, "counter", help, [=](std::string& out, std::string_view n, MetricsParts parts) {
            for (std::size_t i = 0; i < N; ++i) {
              if (values[i].empty()) continue;
              std::uint64_t total = 0;
              for (const Metrics* part : parts) total += (part->*member)[i].value();
              fmt::format_to(std::back_inserter(out), "{}{{{}=\"{}\"}} {}\n", n, label, values[i], total);
            }
          }};
}

constexpr std::array<std::string_view, 6> kStatusClasses{"", "1xx", "2xx", "3xx", "4xx", "5xx"};
constexpr std::array<std::string_view, kEventDialects> kDialectNames{"native", "socketio"};

const std::vector<Family>& families() {
  static const std::vector<Family> all{
      counters("belfry_http_responses_total", "HTTP responses by status class.", &Metrics::http_responses, "class",
               kStatusClasses),
      histogram("belfry_http_request_seconds", "Time from a parsed request to its answer.",
                &Metrics::http_request_seconds),
      gauge("belfry_http_connections", "Open HTTP connections, upgraded ones not counted.", &Metrics::http_connections),
      gauge("belfry_ws_connections", "Open WebSocket connections.", &Metrics::ws_connections),
      counter("belfry_ws_handshakes_refused_total",
              "Handshakes answered 503 because too many came at once: WebSocket, or a session by polling.",
              &Metrics::ws_handshakes_refused),
      counter("belfry_ws_commands_total", "Room commands received, in any dialect.", &Metrics::ws_commands),
      counter("belfry_ws_bad_frames_total", "Messages that were no valid command, in any dialect.",
              &Metrics::ws_bad_frames),
      counter("belfry_ws_sent_bytes_total", "Bytes the kernel took for WebSockets.", &Metrics::ws_bytes_sent),
      counter("belfry_ws_writes_total", "Socket writes; deliveries divided by it tell how well batching works.",
              &Metrics::ws_writes),
      gauge("belfry_ws_queued_bytes", "Bytes waiting for slow clients, by WebSocket and by polling.",
            &Metrics::ws_queued_bytes),
      counter("belfry_ws_closed_stuck_total", "Connections closed with 4008 because the peer took no byte.",
              &Metrics::ws_closed_stuck),
      gauge("belfry_socketio_sessions", "Engine.IO sessions, by whatever they are carried.",
            &Metrics::socketio_sessions),
      counter("belfry_socketio_recovered_total", "Socket.IO clients that came back without a gap.",
              &Metrics::socketio_recovered),
      counter("belfry_socketio_not_recovered_total",
              "Socket.IO clients that showed a former session and began anew; those that were in no room, too.",
              &Metrics::socketio_not_recovered),
      gauge("belfry_rooms", "Rooms with members on this node.", &Metrics::rooms),
      gauge("belfry_subscriptions", "Memberships of rooms on this node.", &Metrics::subscriptions),
      counter("belfry_deliveries_total", "Events handed to a subscriber.", &Metrics::deliveries),
      counters("belfry_events_encoded_total",
               "Events turned into a frame, by dialect: once per room and I/O thread, however many subscribers.",
               &Metrics::events_encoded, "dialect", kDialectNames),
      counter("belfry_refills_total", "Reads of the log for a subscriber that was behind.", &Metrics::refills),
      counter("belfry_suspensions_total", "Subscriptions that stopped being live: a slow reader, or access in doubt.",
              &Metrics::suspensions),
      counter("belfry_evictions_total", "Subscriptions ended by room_left, for whatever reason.", &Metrics::evictions),
      counter("belfry_hints_total", "Hints from the bus that the log grew, for each I/O thread that heard one.",
              &Metrics::hints),
      gauge(
          "belfry_bus_alive",
          "1 while messages to other nodes arrive. 0: the sweep delivers what other nodes write, within half a second. "
          "Always 0 with the bus `local`, which has no other nodes.",
          &Metrics::bus_alive),
      counter("belfry_bus_messages_total", "Hints that arrived over NATS: of rooms with members here, and of access.",
              &Metrics::bus_messages),
      counter("belfry_bus_messages_with_events_total", "Of those, the ones that carried their events, well signed.",
              &Metrics::bus_messages_with_events),
      counter("belfry_bus_published_total", "Hints sent over NATS.", &Metrics::bus_published),
      counter("belfry_bus_published_with_events_total", "Of those, the ones that carried their events.",
              &Metrics::bus_published_with_events),
      counter("belfry_hints_delivered_total",
              "Hints whose events continued what the node had, and were delivered without a read of the log.",
              &Metrics::hints_delivered),
      counter("belfry_hints_read_total",
              "Hints after which a room was still behind: its log is read, or the access log first.",
              &Metrics::hints_read),
      counter("belfry_sweeps_total", "Reads of the commit journal.", &Metrics::sweeps),
      counter("belfry_log_reads_total", "Reads of the log to close a hole in the live order.", &Metrics::log_reads),
      histogram("belfry_commit_to_socket_seconds",
                "Time from COMMIT to the frame's hand-over to the sockets of a room.",
                &Metrics::commit_to_socket_seconds),
      counter("belfry_barriers_total", "Reads of the logs' heads that let what is in memory be served.",
              &Metrics::barriers),
      counter("belfry_cached_reads_total", "Pages and replays answered from memory.", &Metrics::cached_reads),
      counter("belfry_decided_reads_total", "Pages read afresh for somebody whose right was in memory.",
              &Metrics::decided_reads),
      counter("belfry_uncached_reads_total",
              "Pages and replays answered by a job that decides and reads: somebody new, refused, or in doubt.",
              &Metrics::uncached_reads),
      counter("belfry_page_loads_total", "Pages read into memory.", &Metrics::page_loads),
      counter("belfry_replay_reads_total", "Reads of the log for replays.", &Metrics::replay_reads),
      counter("belfry_decision_reads_total", "Reads that decided access for what is in memory.",
              &Metrics::decision_reads),
      gauge("belfry_cache_bytes", "Bytes of pages and replays in memory.", &Metrics::cache_bytes),
      counter("belfry_transactions_total",
              "Transactions begun by jobs and batches, each attempt of its own; reads of one statement, too.",
              &Metrics::transactions),
      counter("belfry_database_statements_total",
              "What jobs sent to the database and waited for: each a round trip, BEGIN and COMMIT too.",
              &Metrics::database_statements),
      counter("belfry_transaction_retries_total",
              "Attempts after the first: after a conflict, a lock that was not had in time, a lost connection, or in "
              "parts of a "
              "batch.",
              &Metrics::transaction_retries),
      counter("belfry_batch_messages_total", "Messages written by group commit.", &Metrics::batch_messages),
      counter("belfry_batches_total", "Transactions of group commit; messages divided by it is the batch size.",
              &Metrics::batches),
      gauge("belfry_jobs_queued", "Database jobs waiting for a connection.", &Metrics::jobs_queued),
      gauge("belfry_database_connections", "Open database connections.", &Metrics::database_connections),
      counter("belfry_jobs_refused_total",
              "Database jobs answered with SERVICE_UNAVAILABLE: queue full, deadline, database or entitlement service "
              "away.",
              &Metrics::jobs_refused),
      histogram("belfry_job_seconds", "Time a database job takes, waiting included.", &Metrics::job_seconds),
      histogram("belfry_commit_seconds", "Time COMMIT takes.", &Metrics::commit_seconds),
      counter("belfry_provider_requests_total", "Requests to the entitlement provider.", &Metrics::provider_requests),
      counter("belfry_provider_failures_total", "Requests the entitlement provider did not answer properly.",
              &Metrics::provider_failures),
      gauge("belfry_timers", "Pending timers of the I/O threads.", &Metrics::timers),
  };
  return all;
}

}  // namespace

void Histogram::observe(std::chrono::steady_clock::duration elapsed) {
  const double seconds = std::chrono::duration<double>(elapsed).count();
  std::size_t index = 0;
  while (index < kBounds.size() && seconds > kBounds[index]) ++index;
  buckets_[index].fetch_add(1, std::memory_order_relaxed);
  count_.fetch_add(1, std::memory_order_relaxed);
  nanos_.fetch_add(static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(elapsed).count()),
                   std::memory_order_relaxed);
}

std::int64_t sum(MetricsParts parts, Gauge Metrics::* gauge) {
  std::int64_t total = 0;
  for (const Metrics* part : parts) total += (part->*gauge).value();
  return total;
}

std::string render_metrics(MetricsParts parts) {
  std::string out;
  out.reserve(16384);
  for (const Family& family : families()) {
    fmt::format_to(std::back_inserter(out), "# HELP {0} {1}\n# TYPE {0} {2}\n", family.name, family.help, family.type);
    family.render(out, family.name, parts);
  }
  return out;
}

std::string render_metrics_docs() {
  std::string out =
      "# Metrics\n\nWhat `GET /metrics` shows, in the Prometheus text format. Printed by `belfry docs metrics`.\n\n"
      "| name | type | meaning |\n| --- | --- | --- |\n";
  for (const Family& family : families()) {
    fmt::format_to(std::back_inserter(out), "| `{}` | {} | {} |\n", family.name, family.type, family.help);
  }
  return out;
}

}  // namespace belfry::telemetry
