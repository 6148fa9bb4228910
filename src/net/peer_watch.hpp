#pragma once

#include <cstddef>
#include <functional>
#include <memory>

#include "request_reader.hpp"
#include "transport.hpp"

namespace belfry::net {

/// Looks after a peer that waits for an answer: what it sends meanwhile is kept for the reader, and its end is heard of
/// at once. A peer that has sent as much as is kept is not read on, so that only a failure of the transport is. Loop's
/// thread only.
class PeerWatch : public Transport::Observer, public std::enable_shared_from_this<PeerWatch> {
 public:
  /// Keeps up to `most` bytes, and one read more. The reader may not be used until `stop`.
  PeerWatch(std::shared_ptr<Transport> transport, RequestReader& reader, std::size_t most);
  ~PeerWatch() override;
  PeerWatch(const PeerWatch&) = delete;
  PeerWatch& operator=(const PeerWatch&) = delete;

  /// `on_gone`, never called from within this, runs at most once: the connection has ended, and is cut.
  void start(std::move_only_function<void()> on_gone);
  void stop();

  void on_flushed() override {}
  void on_failed() override { gone(); }

 private:
  void wait();
  void read();
  void gone();

  std::shared_ptr<Transport> transport_;
  RequestReader& reader_;
  const std::size_t most_;
  std::move_only_function<void()> on_gone_;  ///< set while it watches
};

}  // namespace belfry::net
