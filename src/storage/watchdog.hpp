#pragma once

#include <chrono>
#include <condition_variable>
#include <list>
#include <mutex>
#include <thread>

namespace belfry::storage {

/// Shuts the socket of a thread that libpq keeps waiting past its time: a server that stopped without a word would hold
/// the thread for as long as TCP believes in it. Thread-safe; one thread of its own.
class Watchdog {
 public:
  using Clock = std::chrono::steady_clock;

  Watchdog();
  ~Watchdog();

  /// Guards one socket until dropped. The socket must stay open that long.
  class Watch {
   public:
    Watch(Watchdog& dog, int socket, Clock::time_point until);
    ~Watch();
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;

   private:
    friend class Watchdog;
    struct Entry {
      int socket;
      Clock::time_point until;
    };
    Watchdog& dog_;
    std::list<Entry>::iterator entry_;
  };

 private:
  void run();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::list<Watch::Entry> watched_;
  Clock::time_point wakes_at_ = Clock::time_point::max();
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace belfry::storage
