#pragma once

#include <chrono>
#include <memory>
#include <vector>

#include "belfry/realtime/hub.hpp"
#include "belfry/runtime/loop.hpp"

namespace belfry::net {

class Transport;

/// Sends, at the end of each loop turn, what the turn queued on any transport. Loop's thread only.
class TurnFlusher : public std::enable_shared_from_this<TurnFlusher> {
 public:
  explicit TurnFlusher(runtime::Loop& loop) : loop_(loop) {}
  /// Hooks itself to the loop's turn end for as long as it lives.
  void start();
  void add(std::shared_ptr<Transport> transport) { dirty_.push_back(std::move(transport)); }
  void flush();
  /// Where small frames of one transport are laid side by side; used within one send only.
  std::vector<char>& scratch() { return scratch_; }
  const realtime::SendPass& last_pass() const { return pass_; }
  /// Takes the loop out of reach: nothing is posted from here on.
  void stop() { stopped_ = true; }

 private:
  runtime::Loop& loop_;
  bool stopped_ = false;
  std::vector<std::shared_ptr<Transport>> dirty_;
  std::vector<std::shared_ptr<Transport>> flushing_;
  realtime::SendPass pass_;
  std::chrono::steady_clock::time_point began_;
  std::size_t next_ = 0;  ///< of `flushing_`; those before it are flushed
  std::vector<char> scratch_;
};

}  // namespace belfry::net
