#include "transport.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include <unistd.h>

#include "turn_flusher.hpp"

namespace belfry::net {
namespace {

constexpr std::size_t kSendBytes = 64 * 1024;
/// From this size on a chunk is sent from where it lies instead of being copied beside others.
constexpr std::size_t kBigChunk = 16 * 1024;
/// A queue that once was long gives its memory back when it has drained.
constexpr std::size_t kKeptChunks = 16;

}  // namespace

Transport::Transport(Socket socket, std::shared_ptr<TurnFlusher> flusher)
    : socket_(std::move(socket)), flusher_(std::move(flusher)) {
  ErrorCode ignored;
  socket_.non_blocking(true, ignored);
}

Transport::~Transport() { stop_counting(); }

void Transport::queue(std::shared_ptr<const void> owner, std::string_view bytes) {
  if (failed_ || bytes.empty()) return;
  chunks_.push_back({.owner = std::move(owner), .data = bytes.data(), .size = bytes.size()});
  queued_ += bytes.size();
  mark_dirty();
}

void Transport::queue(std::shared_ptr<const void> owner, std::span<const std::string_view> parts) {
  const auto before = queued_;
  for (const auto part : parts) {
    if (failed_ || part.empty()) continue;
    chunks_.push_back({.owner = nullptr, .data = part.data(), .size = part.size(), .more = true});
    queued_ += part.size();
  }
  if (queued_ == before) return;
  chunks_.back().owner = std::move(owner);
  chunks_.back().more = false;
  mark_dirty();
}

void Transport::queue(std::string bytes) {
  auto owner = std::make_shared<const std::string>(std::move(bytes));
  const std::string_view view = *owner;
  queue(std::move(owner), view);
}

void Transport::mark_dirty() {
  if (std::exchange(dirty_, true)) return;
  flusher_->add(shared_from_this());
}

void Transport::prefetch() const {
  for (std::size_t at = 0; at < sizeof(*this); at += 64) __builtin_prefetch(reinterpret_cast<const char*>(this) + at);
}

void Transport::flush() {
  dirty_ = false;
  if (!waiting_ && !failed_) send_queue();
  account();
  // Most sockets take all they get: of them there is nothing to tell.
  if (waiting_) progress_wanted_ = true;
  if (!progress_wanted_ || failed_ || !observer_) return;
  progress_wanted_ = waiting_;
  observer_->on_flushed();
}

void Transport::send_now() {
  if (waiting_ || failed_) return;
  send_queue();
  account();
}

Transport::Sent Transport::send_queue() {
  while (queued_ > 0) {
    const auto bytes = next_bytes();
    std::size_t taken = 0;
    const auto error = try_send(bytes, taken);
    if (error == boost::asio::error::would_block || error == boost::asio::error::try_again) {
      wait_writable();
      return Sent::kBlocked;
    }
    if (error) {
      fail(error);
      return Sent::kFailed;
    }
    advance(taken);
    if (taken < bytes.size()) {
      wait_writable();
      return Sent::kBlocked;
    }
  }
  settle_drained({});
  return Sent::kAll;
}

// One contiguous piece: the first chunk itself when it is big or alone, else as many small ones as fit, side by side.
std::string_view Transport::next_bytes() {
  const auto first = chunks_[first_].bytes();
  if (first.size() >= kBigChunk || first_ + 1 == chunks_.size()) return first;
  auto& scratch = flusher_->scratch();
  scratch.resize(kSendBytes);
  std::size_t used = 0;
  for (auto at = first_; at < chunks_.size(); ++at) {
    const auto bytes = chunks_[at].bytes();
    if (bytes.size() >= kBigChunk || used + bytes.size() > kSendBytes) break;
    std::memcpy(scratch.data() + used, bytes.data(), bytes.size());
    used += bytes.size();
  }
  return {scratch.data(), used};
}

Transport::ErrorCode Transport::try_send(std::string_view bytes, std::size_t& taken) {
  ErrorCode error;
  taken = socket_.write_some(boost::asio::buffer(bytes.data(), bytes.size()), error);
  if (metrics_ && !error) {
    metrics_->ws_bytes_sent.add(taken);
    metrics_->ws_writes.add();
  }
  return error;
}

void Transport::advance(std::size_t taken) {
  queued_ -= taken;
  sent_ += taken;
  while (taken > 0) {
    auto& chunk = chunks_[first_];
    if (taken < chunk.size) {
      chunk.data += taken;
      chunk.size -= taken;
      begun_ = true;
      break;
    }
    taken -= chunk.size;
    begun_ = chunk.more;
    chunk = {};
    ++first_;
  }
  if (first_ == chunks_.size()) {
    first_ = 0;
    chunks_.clear();
    if (chunks_.capacity() > kKeptChunks) chunks_.shrink_to_fit();
  } else if (first_ >= 1024 && first_ * 2 >= chunks_.size()) {
    chunks_.erase(chunks_.begin(), chunks_.begin() + static_cast<std::ptrdiff_t>(first_));
    first_ = 0;
  }
}

void Transport::wait_writable() {
  if (std::exchange(waiting_, true)) return;
  socket_.async_wait(Socket::wait_write, [self = shared_from_this()](const ErrorCode& error) {
    self->waiting_ = false;
    if (self->failed_ || !self->socket_.is_open()) return;
    // A cancelled read cancels this wait too: try again, which is harmless.
    if (error && error != boost::asio::error::operation_aborted) return self->fail(error);
    self->flush();
  });
}

void Transport::drop_unsent() {
  auto keep = first_;
  if (begun_) {
    while (chunks_[keep].more) ++keep;
    ++keep;
  }
  if (keep >= chunks_.size()) return;
  for (auto at = keep; at < chunks_.size(); ++at) queued_ -= chunks_[at].size;
  chunks_.resize(keep);
  account();
  mark_dirty();
}

void Transport::when_drained(std::move_only_function<void(ErrorCode)> done) {
  drained_ = std::move(done);
  if (failed_ || !socket_.is_open()) return settle_drained(boost::asio::error::not_connected);
  if (queued_ == 0) settle_drained({});
}

void Transport::settle_drained(ErrorCode error) {
  if (!drained_) return;
  boost::asio::post(socket_.get_executor(),
                    [done = std::exchange(drained_, nullptr), error]() mutable { done(error); });
}

void Transport::cancel_read() {
  ErrorCode ignored;
  socket_.cancel(ignored);
}

std::size_t Transport::read_some(std::span<char> into, ErrorCode& error) {
  return socket_.read_some(boost::asio::buffer(into.data(), into.size()), error);
}

void Transport::fail(ErrorCode error) {
  if (failed_) return;
  failed_ = true;
  chunks_.clear();
  chunks_.shrink_to_fit();
  first_ = queued_ = 0;
  account();
  ErrorCode ignored;
  socket_.close(ignored);
  settle_drained(error);
  boost::asio::post(socket_.get_executor(), [self = shared_from_this()] {
    if (self->observer_) self->observer_->on_failed();
  });
}

// Between the two sockets nobody owns the descriptor.
std::optional<Transport::Socket> Transport::move_to(runtime::Executor executor) {
  Socket moved(executor);
  ErrorCode error;
  const auto protocol = socket_.local_endpoint(error).protocol();
  if (error) return {};
  const auto descriptor = socket_.release(error);
  if (error) return {};
  moved.assign(protocol, descriptor, error);
  if (!error) return moved;
  ::close(descriptor);
  return {};
}

void Transport::cut() { fail(boost::asio::error::operation_aborted); }

void Transport::finish(std::move_only_function<void(ErrorCode)> done) {
  when_drained([self = shared_from_this(), done = std::move(done)](ErrorCode error) mutable {
    if (!error) self->socket_.shutdown(Socket::shutdown_send, error);
    if (error) {
      self->cut();
      return done(error);
    }
    self->read_to_end(std::move(done));
  });
}

void Transport::read_to_end(std::move_only_function<void(ErrorCode)> done) {
  socket_.async_wait(Socket::wait_read, [self = shared_from_this(), done = std::move(done)](ErrorCode error) mutable {
    std::array<char, 16 * 1024> sink;
    if (!error) self->socket_.read_some(boost::asio::buffer(sink), error);
    if (!error || error == boost::asio::error::would_block || error == boost::asio::error::interrupted) {
      return self->read_to_end(std::move(done));
    }
    self->cut();
    done(error == boost::asio::error::eof ? ErrorCode() : error);
  });
}

void Transport::count_as_websocket(telemetry::Metrics& metrics) {
  metrics_ = &metrics;
  account();
}

void Transport::stop_counting() {
  if (!metrics_) return;
  metrics_->ws_queued_bytes.sub(static_cast<std::int64_t>(accounted_));
  accounted_ = 0;
  metrics_ = nullptr;
}

void Transport::account() {
  if (!metrics_ || accounted_ == queued_) return;
  metrics_->ws_queued_bytes.add(static_cast<std::int64_t>(queued_) - static_cast<std::int64_t>(accounted_));
  accounted_ = queued_;
}

}  // namespace belfry::net
