#include "harness.hpp"

#include <algorithm>
#include <array>

#include <boost/asio/buffer.hpp>
#include <boost/asio/write.hpp>

namespace belfry::net::testing {
namespace {

namespace asio = boost::asio;

class FakeSession final : public dialects::Session {
 public:
  explicit FakeSession(std::shared_ptr<SessionState> state) : state_(std::move(state)) {}
  ~FakeSession() override {
    ++state_->destroyed;
    state_->destroyed_while_owing |= !state_->owed.empty();
  }
  void on_text(std::string_view text, std::move_only_function<void()> done) override {
    hear(text, [&] { state_->sink->send(realtime::make_frame(text)); }, std::move(done));
  }
  bool takes_binary() const override { return state_->takes_binary; }
  void on_binary(std::string_view bytes, std::move_only_function<void()> done) override {
    hear(bytes, [&] { state_->sink->send_binary(bytes); }, std::move(done));
  }
  void on_writable() override {
    ++state_->writable_calls;
    if (state_->on_writable) state_->on_writable(*state_);
  }
  void on_draining(std::chrono::milliseconds reconnect_in) override {
    state_->draining = reconnect_in;
    state_->sink->send(realtime::make_frame("draining"));
  }
  void on_closed() override { ++state_->closed; }

 private:
  template <class Echo>
  void hear(std::string_view message, Echo echo, std::move_only_function<void()> done) {
    state_->texts.emplace_back(message);
    if (state_->throw_on_text) throw std::runtime_error("broken session");
    if (state_->on_text) {
      state_->on_text(*state_, message);
    } else {
      echo();
    }
    if (state_->hold_done) return state_->owed.push_back(std::move(done));
    done();
  }

  std::shared_ptr<SessionState> state_;
};

class FakeEntrance final : public dialects::Entrance {
 public:
  explicit FakeEntrance(FakeDialect& dialect) : dialect_(dialect) {}
  std::unique_ptr<dialects::Session> open(dialects::FrameSink& sink) override {
    auto state = std::make_shared<SessionState>();
    state->sink = &sink;
    dialect_.sessions.push_back(state);
    auto session = std::make_unique<FakeSession>(state);
    if (dialect_.on_open) dialect_.on_open(*state);
    return session;
  }

 private:
  FakeDialect& dialect_;
};

}  // namespace

void FakeService::handle(http::Request request, std::move_only_function<void(http::Response)> done) {
  requests.push_back(request);
  if (request.path == "/hold") return held.push_back(std::move(done));
  if (request.path == "/drop") return;
  http::Response response;
  response.headers.emplace_back("X-Request-Id", "id-" + std::to_string(requests.size()));
  response.body = request.method + " " + request.path + " " + request.query + " " + request.body;
  if (request.path == "/big") response.body.assign(100'000, 'x');
  if (request.path == "/huge") {
    response.body.resize(4 << 20);
    for (std::size_t i = 0; i < response.body.size(); ++i)
      response.body[i] = static_cast<char>((i * 2654435761u) >> 13);
  }
  done(std::move(response));
}

void FakeService::release() {
  auto done = std::move(held.front());
  held.pop_front();
  http::Response response;
  response.body = "released";
  done(std::move(response));
}

void FakeDialect::authorize(const dialects::Handshake& handshake, dialects::AuthorizeDone done) {
  handshakes.push_back(handshake);
  if (hold_authorize) return held.push_back(std::move(done));
  if (refuse) return done(core::fail(*refuse));
  done(entrance());
}

std::unique_ptr<dialects::Entrance> FakeDialect::entrance() { return std::make_unique<FakeEntrance>(*this); }

std::move_only_function<void()> FakeDialect::handle(dialects::PlainRequest request, Done done) {
  const auto state = std::make_shared<PlainState>();
  state->request = std::move(request);
  plain.push_back(state);
  if (state->request.query.starts_with("now")) {
    done(echo(state->request));
  } else {
    state->done = std::move(done);
  }
  return [state] { ++state->given_up; };
}

// "shard=2": two digits are not needed here.
std::optional<std::size_t> FakeDialect::shard_of(std::string_view query) const {
  const auto at = query.find("shard=");
  if (at == std::string_view::npos) return std::nullopt;
  if (on_shard_of) on_shard_of();
  return static_cast<std::size_t>(query.at(at + 6) - '0');
}

void FakeDialect::drain(std::chrono::milliseconds reconnect_within) {
  drained = reconnect_within;
  if (on_drain) on_drain();
}

dialects::PlainAnswer echo(const dialects::PlainRequest& request) {
  dialects::PlainAnswer answer;
  answer.body = request.method + " " + request.query + " " + request.body;
  return answer;
}

ServerTest::~ServerTest() { stop(); }

void ServerTest::start(const std::function<void(Limits&)>& change) {
  if (change) change(limits);
  server = std::make_unique<Server>(*loop, wheel, limits, service, std::vector<dialects::Dialect*>{&dialect}, metrics);
  before_listen();
  const auto bound = server->listen({.address = "127.0.0.1", .port = 0});
  ASSERT_TRUE(bound) << bound.error().message;
  port = *bound;
  thread_ = std::thread([this] { loop->run([](std::exception_ptr) { ADD_FAILURE() << "a handler threw"; }); });
}

void ServerTest::stop() {
  if (!loop) return;
  loop->stop();
  if (thread_.joinable()) thread_.join();
  server.reset();
  loop.reset();
}

void ServerTest::on_loop(std::move_only_function<void()> task) {
  std::promise<void> ran;
  auto future = ran.get_future();
  loop->post([&] {
    task();
    ran.set_value();
  });
  if (future.wait_for(kPatience) == std::future_status::ready) return;
  ADD_FAILURE() << "the loop is stuck";
  std::abort();
}

::testing::AssertionResult ServerTest::eventually(std::function<bool()> holds) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (std::chrono::steady_clock::now() < deadline) {
    bool held = false;
    on_loop([&] { held = holds(); });
    if (held) return ::testing::AssertionSuccess();
    std::this_thread::yield();
  }
  return ::testing::AssertionFailure() << "did not become true";
}

void ServerTest::jump(std::chrono::milliseconds by) {
  now_ += by;
  on_loop([&] { wheel.advance(now_); });
}

std::shared_ptr<SessionState> ServerTest::session(std::size_t index) {
  EXPECT_TRUE(eventually([&] { return dialect.sessions.size() > index; }));
  return dialect.sessions.at(index);
}

std::shared_ptr<PlainState> ServerTest::plain(std::size_t index) {
  EXPECT_TRUE(eventually([&] { return dialect.plain.size() > index; }));
  return dialect.plain.at(index);
}

void ServerTest::expect_baseline() {
  EXPECT_TRUE(eventually([&] { return server->connections() == 0; }));
  on_loop([&] {
    EXPECT_EQ(metrics.http_connections.value(), 0);
    EXPECT_EQ(metrics.ws_connections.value(), 0);
    EXPECT_EQ(metrics.ws_queued_bytes.value(), 0);
    EXPECT_EQ(wheel.size(), 0u);
    for (const auto& state : dialect.sessions) {
      EXPECT_EQ(state->closed, 1);
      EXPECT_EQ(state->destroyed, 1);
      EXPECT_FALSE(state->destroyed_while_owing);
    }
  });
}

RawClient::RawClient(std::uint16_t port, int receive_buffer, const std::function<void()>& before_connect) {
  socket_.open(asio::ip::tcp::v4());
  if (receive_buffer > 0) socket_.set_option(asio::socket_base::receive_buffer_size(receive_buffer));
  if (before_connect) before_connect();
  socket_.connect({asio::ip::address_v4::loopback(), port});
  socket_.set_option(asio::ip::tcp::no_delay(true));
}

void RawClient::send(std::string_view bytes) { EXPECT_TRUE(try_send(bytes)); }

bool RawClient::try_send(std::string_view bytes) {
  std::optional<boost::system::error_code> result;
  asio::async_write(socket_, asio::buffer(bytes), [&](const auto& error, std::size_t) { result = error; });
  context_.restart();
  context_.run_for(kPatience);
  if (result) return !*result;
  socket_.cancel();
  context_.run();
  return false;
}

bool RawClient::fill() {
  std::array<char, 65536> space;
  std::optional<boost::system::error_code> result;
  std::size_t taken = 0;
  socket_.async_read_some(asio::buffer(space), [&](const auto& error, std::size_t bytes) {
    result = error;
    taken = bytes;
  });
  context_.restart();
  context_.run_for(kPatience);
  if (!result) {
    ADD_FAILURE() << "nothing came";
    socket_.cancel();
    context_.run();
    return false;
  }
  clean_end_ = *result == asio::error::eof;
  buffer_.append(space.data(), taken);
  return !*result;
}

std::optional<Answer> RawClient::answer(bool head) {
  std::size_t end = 0;
  while ((end = buffer_.find("\r\n\r\n")) == std::string::npos) {
    if (!fill()) return {};
  }
  Answer answer;
  answer.status = std::stoi(buffer_.substr(9, 3));
  for (auto at = buffer_.find("\r\n") + 2; at < end + 2;) {
    const auto line_end = buffer_.find("\r\n", at);
    const auto line = buffer_.substr(at, line_end - at);
    const auto colon = line.find(": ");
    auto name = line.substr(0, colon);
    std::ranges::transform(name, name.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    auto& value = answer.headers[name];
    if (!value.empty()) value += ", ";
    value += line.substr(colon + 2);
    at = line_end + 2;
  }
  buffer_.erase(0, end + 4);
  const auto length = answer.headers.find("content-length");
  const std::size_t size = head || length == answer.headers.end() ? 0 : std::stoul(length->second);
  while (buffer_.size() < size) {
    if (!fill()) return {};
  }
  answer.body = buffer_.substr(0, size);
  buffer_.erase(0, size);
  return answer;
}

std::optional<std::string> RawClient::rest() {
  while (fill()) {
  }
  if (!clean_end_) return {};
  return std::exchange(buffer_, {});
}

std::string RawClient::read(std::size_t bytes) {
  while (buffer_.size() < bytes && fill()) {
  }
  return std::exchange(buffer_, {});
}

void RawClient::shutdown_send() { socket_.shutdown(asio::ip::tcp::socket::shutdown_send); }

void RawClient::reset() {
  socket_.set_option(asio::socket_base::linger(true, 0));
  socket_.close();
}

void RawClient::close() { socket_.close(); }

}  // namespace belfry::net::testing
