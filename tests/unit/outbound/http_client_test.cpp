#include "belfry/outbound/http_client.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <future>
#include <string>
#include <thread>

#include <gtest/gtest.h>

namespace belfry::outbound {
namespace {

using core::Result;

/// A server for one connection on loopback: reads until the blank line, answers with what the test gives, or never.
class OneAnswer {
 public:
  explicit OneAnswer(std::string answer) : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address);
    ::listen(listener_, 1);
    socklen_t size = sizeof address;
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this, answer = std::move(answer)] { serve(answer); });
  }
  ~OneAnswer() {
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
  }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/"; }
  std::string request() { return request_.get_future().get(); }

 private:
  void serve(const std::string& answer) {
    const int peer = ::accept(listener_, nullptr, nullptr);
    if (peer < 0) return;
    std::string got;
    char buffer[4096];
    for (ssize_t n = 0;
         got.find("\r\n\r\n") == std::string::npos && (n = ::recv(peer, buffer, sizeof buffer, 0)) > 0;) {
      got.append(buffer, static_cast<std::size_t>(n));
    }
    request_.set_value(got);
    if (answer.empty()) {
      while (::recv(peer, buffer, sizeof buffer, 0) > 0) {
      }
    } else {
      ::send(peer, answer.data(), answer.size(), MSG_NOSIGNAL);
    }
    ::close(peer);
  }

  int listener_;
  int port_ = 0;
  std::promise<std::string> request_;
  std::thread thread_;
};

Result<HttpAnswer> fetch(HttpClient& client, HttpCall call) {
  std::promise<Result<HttpAnswer>> promise;
  client.send(std::move(call), [&](Result<HttpAnswer> answer) { promise.set_value(std::move(answer)); });
  return promise.get_future().get();
}

class HttpClientTest : public testing::Test {
 protected:
  HttpClient client_{[](std::move_only_function<void()> task) { task(); }, ""};
};

TEST_F(HttpClientTest, AnyStatusIsAnAnswer) {
  OneAnswer server("HTTP/1.1 503 Busy\r\nContent-Length: 4\r\nConnection: close\r\n\r\nbusy");
  const auto answer = fetch(client_, {.url = server.url()});
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 503);
  EXPECT_EQ(answer->body, "busy");
}

TEST_F(HttpClientTest, PostsHeadersAndRefusesToFollowRedirects) {
  OneAnswer server(
      "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
  const auto answer =
      fetch(client_, {.method = "POST", .url = server.url(), .headers = {{"X-One", "1"}}, .body = "{}"});
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 302);
  const std::string request = server.request();
  EXPECT_TRUE(request.starts_with("POST / HTTP/1.1\r\n")) << request;
  EXPECT_NE(request.find("X-One: 1\r\n"), std::string::npos);
  EXPECT_NE(request.find("Content-Length: 2\r\n"), std::string::npos);
}

TEST_F(HttpClientTest, ASilentServerIsGivenUpInTime) {
  OneAnswer server("");
  const auto answer = fetch(client_, {.url = server.url(), .timeout = std::chrono::milliseconds(100)});
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, core::ErrorCode::kUnavailable);
}

TEST_F(HttpClientTest, AnAnswerOverTheLimitIsNone) {
  OneAnswer server("HTTP/1.1 200 OK\r\nContent-Length: 100\r\nConnection: close\r\n\r\n" + std::string(100, 'x'));
  EXPECT_FALSE(fetch(client_, {.url = server.url(), .max_response_bytes = 10}));
}

TEST_F(HttpClientTest, NobodyListeningAndForeignSchemesAreErrors) {
  EXPECT_FALSE(fetch(client_, {.url = "http://127.0.0.1:1/"}));
  EXPECT_FALSE(fetch(client_, {.url = "file:///etc/hostname"}));
}

TEST(HttpClientLife, EndsWithACallOnItsWay) {
  OneAnswer server("");
  bool called = false;
  {
    HttpClient client([&](std::move_only_function<void()>) { called = true; }, "");
    client.send({.url = server.url()}, [](Result<HttpAnswer>) {});
    server.request();
  }
  EXPECT_FALSE(called);
}

}  // namespace
}  // namespace belfry::outbound
