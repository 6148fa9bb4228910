#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace belfry::telemetry {

/// Rises only. Relaxed atomics: any thread.
class Counter {
 public:
  void add(std::uint64_t n = 1) { value_.fetch_add(n, std::memory_order_relaxed); }
  std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

class Gauge {
 public:
  void add(std::int64_t n = 1) { value_.fetch_add(n, std::memory_order_relaxed); }
  void sub(std::int64_t n = 1) { value_.fetch_sub(n, std::memory_order_relaxed); }
  void set(std::int64_t n) { value_.store(n, std::memory_order_relaxed); }
  std::int64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::int64_t> value_{0};
};

/// Latencies in seconds over fixed bounds (0.5 ms … 10 s).
class Histogram {
 public:
  static constexpr std::array<double, 14> kBounds{0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                                  0.1,    0.25,  0.5,    1.0,   2.5,  5.0,   10.0};
  void observe(std::chrono::steady_clock::duration elapsed);
  std::uint64_t bucket(std::size_t index) const { return buckets_[index].load(std::memory_order_relaxed); }
  std::uint64_t count() const { return count_.load(std::memory_order_relaxed); }
  double sum_seconds() const { return static_cast<double>(nanos_.load(std::memory_order_relaxed)) / 1e9; }

 private:
  std::array<std::atomic<std::uint64_t>, kBounds.size() + 1> buckets_{};
  std::atomic<std::uint64_t> count_{0};
  std::atomic<std::uint64_t> nanos_{0};
};

/// Whom a frame was made for: the values of the label `dialect`.
enum class EventDialect : std::uint8_t { kNative, kSocketIo };
inline constexpr std::size_t kEventDialects = 2;

/// Everything the process counts, or one I/O thread of it. Labels come from closed sets, never ids. Names and help
/// texts live in metrics.cpp, from which /metrics and docs/metrics.md are printed.
struct Metrics {
  // HTTP
  std::array<Counter, 6> http_responses;  ///< by status class: index 1..5 is 1xx..5xx
  Histogram http_request_seconds;
  Gauge http_connections;
  // WebSocket
  Gauge ws_connections;
  Counter ws_handshakes_refused;  ///< 503 before the upgrade
  Counter ws_commands;
  Counter ws_bad_frames;
  Counter ws_bytes_sent;
  Counter ws_writes;        ///< socket writes: deliveries per write tell how well batching works
  Gauge ws_queued_bytes;    ///< bytes waiting for slow clients, by WebSocket and by polling
  Counter ws_closed_stuck;  ///< closed with 4008
  // Socket.IO
  Gauge socketio_sessions;
  Counter socketio_recovered;
  Counter socketio_not_recovered;  ///< of those who asked
  // Rooms
  Gauge rooms;
  Gauge subscriptions;
  Counter deliveries;
  std::array<Counter, kEventDialects> events_encoded;  ///< by EventDialect
  Counter refills;                                     ///< reads of the log for a subscriber that was behind
  Counter suspensions;
  Counter evictions;  ///< room_left frames
  Counter hints;      ///< "the log grew" from the bus
  Gauge bus_alive;
  Counter bus_messages;  ///< arrived over NATS
  Counter bus_messages_with_events;
  Counter bus_published;  ///< hints sent over NATS
  Counter bus_published_with_events;
  Counter hints_delivered;  ///< their events were delivered without a read
  Counter hints_read;       ///< their room was behind, and its log is read
  Counter sweeps;
  Counter log_reads;  ///< reads of the log to close a hole in live order
  Histogram commit_to_socket_seconds;
  // Reads from memory
  Counter barriers;
  Counter cached_reads;
  Counter decided_reads;
  Counter uncached_reads;
  Counter page_loads;
  Counter replay_reads;
  Counter decision_reads;
  Gauge cache_bytes;
  // Database
  Counter transactions;
  Counter database_statements;
  Counter transaction_retries;
  Counter batch_messages;  ///< messages written by group commit; divided by batches gives the batch size
  Counter batches;
  Gauge jobs_queued;
  Gauge database_connections;
  Counter jobs_refused;
  Histogram job_seconds;
  Histogram commit_seconds;
  // Entitlement provider
  Counter provider_requests;
  Counter provider_failures;
  // Timers
  Gauge timers;
};

/// What several threads counted, each for itself so that none waits for another's cache lines. Any thread may read.
using MetricsParts = std::span<const Metrics* const>;
std::int64_t sum(MetricsParts parts, Gauge Metrics::* gauge);
/// The sums of all parts in the Prometheus text format, version 0.0.4.
std::string render_metrics(MetricsParts parts);
/// docs/metrics.md.
std::string render_metrics_docs();

}  // namespace belfry::telemetry
