#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "belfry/core/error.hpp"
#include "belfry/http/message.hpp"
#include "belfry/net/server.hpp"

namespace belfry::net {

/// A request together with what its connection needs to know.
struct ParsedRequest {
  http::Request request;
  int minor_version = 1;
  bool keep_alive = true;
  bool names_websocket = false;    ///< GET, `Upgrade: websocket`
  bool websocket_upgrade = false;  ///< the same, HTTP/1.1, `Connection: upgrade`
};

/// Why a request cannot be read; the connection closes after the answer.
struct Refusal {
  int status = 400;
  core::Error error;
};

/// Turns bytes into requests within the limits, without I/O. Strict where leniency lets two readers see two requests:
/// one Content-Length, no Transfer-Encoding but `chunked`, never both, one Host.
class RequestReader {
 public:
  enum class State : std::uint8_t {
    kIdle,      ///< between requests, no byte of the next one
    kHeader,    ///< some of the header is here
    kBody,      ///< header complete, body not
    kComplete,  ///< `take`
    kRefused,   ///< `refusal`; final
  };

  explicit RequestReader(const Limits& limits);
  ~RequestReader();
  RequestReader(const RequestReader&) = delete;
  RequestReader& operator=(const RequestReader&) = delete;

  /// Room for the next read; then `commit` what came.
  std::span<char> prepare();
  void commit(std::size_t bytes);
  /// Reads on in what is there.
  State parse();
  State state() const;
  /// Once per request: the client waits for `100 Continue`.
  bool take_expectation();
  /// The complete request; the reader goes on with the bytes behind it.
  ParsedRequest take();
  const Refusal& refusal() const;
  /// Bytes that are there and not looked at yet.
  std::size_t unread() const;
  /// Goes on with what another reader's `take_rest` gave. For one that has read nothing.
  void begin_with(std::string_view rest);
  /// Bytes behind the last request.
  std::string take_rest();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace belfry::net
