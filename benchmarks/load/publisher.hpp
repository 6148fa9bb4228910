#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "http_client.hpp"
#include "stamp.hpp"

namespace bench {

/// Where messages come from: durable ones over REST, or frames for a raw server.
class Publisher {
 public:
  virtual ~Publisher() = default;
  virtual void publish(int room, const Stamp& stamp) = 0;
  /// At the end of a turn.
  virtual void flush() {}
};

struct RestPlan {
  int port = 0;
  int connections = 1;  ///< a message waits while all have one under way
  std::vector<std::string> rooms;
  std::string token;
};

class RestPublisher final : public Publisher {
 public:
  using OnAnswer = std::function<void(std::int64_t took_ns)>;
  RestPublisher(Loop& loop, RestPlan plan, OnAnswer on_answer);
  void publish(int room, const Stamp& stamp) override;
  bool idle() const { return free_.size() == connections_.size(); }

 private:
  void answered(HttpClient& connection, const HttpClient::Answer& answer);

  RestPlan plan_;
  OnAnswer on_answer_;
  std::vector<std::unique_ptr<HttpClient>> connections_;
  std::vector<HttpClient*> free_;
  std::deque<std::string> waiting_;
};

/// Tells a raw server (raw_server.cpp) what to send; all of a turn in one write.
class RawPublisher final : public Publisher {
 public:
  RawPublisher(int port, std::size_t frame_bytes);
  ~RawPublisher() override;
  RawPublisher(const RawPublisher&) = delete;
  RawPublisher& operator=(const RawPublisher&) = delete;
  void publish(int room, const Stamp& stamp) override;
  void flush() override;

 private:
  int fd_;
  std::size_t frame_bytes_;
  std::string pending_;
};

}  // namespace bench
