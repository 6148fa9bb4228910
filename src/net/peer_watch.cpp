#include "peer_watch.hpp"

#include <utility>

#include <boost/asio/error.hpp>

namespace belfry::net {

namespace asio = boost::asio;

PeerWatch::PeerWatch(std::shared_ptr<Transport> transport, RequestReader& reader, std::size_t most)
    : transport_(std::move(transport)), reader_(reader), most_(most) {}

PeerWatch::~PeerWatch() { stop(); }

void PeerWatch::start(std::move_only_function<void()> on_gone) {
  on_gone_ = std::move(on_gone);
  transport_->observe(this);
  wait();
}

void PeerWatch::stop() {
  if (!std::exchange(on_gone_, nullptr)) return;
  transport_->observe(nullptr);
  transport_->cancel_read();
}

// A wait that ends, however it does, takes no byte: whoever reads next finds all of them.
void PeerWatch::wait() {
  transport_->when_readable([weak = weak_from_this()](const Transport::ErrorCode&) {
    if (const auto self = weak.lock()) self->read();
  });
}

void PeerWatch::read() {
  if (!on_gone_) return;
  if (!transport_->open()) return gone();
  const auto space = reader_.prepare();
  Transport::ErrorCode error;
  const auto taken = transport_->read_some(space, error);
  const bool nothing =
      error == asio::error::would_block || error == asio::error::try_again || error == asio::error::interrupted;
  if (error && !nothing) return gone();
  reader_.commit(taken);
  if (reader_.unread() < most_) wait();
}

void PeerWatch::gone() {
  if (auto tell = std::exchange(on_gone_, nullptr)) {
    transport_->observe(nullptr);
    transport_->cut();
    tell();
  }
}

}  // namespace belfry::net
