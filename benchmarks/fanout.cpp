// Fan-out load: N WebSocket subscribers of one discussion on one thread (epoll), publishers over keep-alive HTTP with a
// window of messages that are not yet delivered to everybody. Checks that every subscriber receives the same messages
// in the same order, once. `fanout raw` measures the floor instead: a process that does nothing but send one prepared
// frame to N sockets.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/core.h>

namespace {

using Clock = std::chrono::steady_clock;

struct Options {
  bool raw = false;
  bool batch = false;
  int port = 0;
  int server_pid = 0;
  int subscribers = 1000;
  int window = 1;
  int messages = 200;
  int seconds = 60;  // hard stop
  std::string channel;
  std::string admin_token;
  std::string tokens_file;
};

[[noreturn]] void die(const std::string& why) { throw std::runtime_error(why + ": " + std::strerror(errno)); }

std::int64_t now_ns() { return Clock::now().time_since_epoch().count(); }

/// user + system time of a process in microseconds.
double cpu_us(int pid) {
  std::ifstream file(fmt::format("/proc/{}/stat", pid));
  std::string line;
  std::getline(file, line);
  std::size_t at = line.rfind(')');
  long utime = 0;
  long stime = 0;
  if (at != std::string::npos) {
    std::sscanf(line.c_str() + at + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %ld %ld", &utime, &stime);
  }
  return static_cast<double>(utime + stime) * 1e6 / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

long rss_kb(int pid) {
  std::ifstream file(fmt::format("/proc/{}/statm", pid));
  long size = 0;
  long resident = 0;
  file >> size >> resident;
  return resident * ::sysconf(_SC_PAGESIZE) / 1024;
}

int connect_to(int port, int index) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) die("socket");
  sockaddr_in source{};
  source.sin_family = AF_INET;
  source.sin_addr.s_addr = htonl(0x7f000001U + static_cast<std::uint32_t>(index / 10000));
  if (::bind(fd, reinterpret_cast<sockaddr*>(&source), sizeof source) != 0) die("bind");
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  if (::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) die("connect");
  const int one = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  const timeval limit{10, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  return fd;
}

void send_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n < 0) die("send");
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
}

std::string read_until(int fd, std::string_view end) {
  std::string got;
  char c = 0;
  while (!got.ends_with(end)) {
    if (::recv(fd, &c, 1, 0) <= 0) die("closed while waiting for an answer; got: " + got.substr(0, 200));
    got.push_back(c);
  }
  return got;
}

/// A masked client frame; the mask is zero, which the protocol allows.
std::string client_frame(std::string_view text) {
  std::string frame("\x81", 1);
  frame.push_back(static_cast<char>(0x80 | text.size()));
  frame.append(4, '\0');
  frame.append(text);
  return frame;
}

struct Subscriber {
  int fd = -1;
  std::string buffer;
  std::size_t received = 0;  // index of the next message in the common order
};

/// Takes one complete server frame off the front of `buffer`; empty when there is none.
std::optional<std::string> take_frame(std::string& buffer, std::size_t& at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(buffer[at + i]); };
  const std::size_t have = buffer.size() - at;
  if (have < 2) return std::nullopt;
  std::size_t header = 2;
  std::uint64_t length = byte(1) & 0x7f;
  if (length == 126) {
    if (have < 4) return std::nullopt;
    header = 4;
    length = static_cast<std::uint64_t>(byte(2)) << 8 | byte(3);
  } else if (length == 127) {
    if (have < 10) return std::nullopt;
    header = 10;
    length = 0;
    for (std::size_t i = 2; i < 10; ++i) length = length << 8 | byte(i);
  }
  if (have < header + length) return std::nullopt;
  std::string text = buffer.substr(at + header, length);
  if ((byte(0) & 0x0f) != 1) text.clear();
  at += header + length;
  return text;
}

class Run {
 public:
  explicit Run(const Options& options) : options_(options), epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
    std::ifstream file(options.tokens_file);
    for (std::string token; std::getline(file, token);) tokens_.push_back(token);
    if (tokens_.empty()) throw std::runtime_error("no tokens");
  }

  void go() {
    const auto rss_before = rss_kb(options_.server_pid);
    const auto join_cpu = cpu_us(options_.server_pid);
    const auto join_start = now_ns();
    for (int i = 0; i < options_.subscribers; ++i) join(i);
    const double join_seconds = static_cast<double>(now_ns() - join_start) / 1e9;
    const double join_cpu_us = cpu_us(options_.server_pid) - join_cpu;
    const auto rss_after = rss_kb(options_.server_pid);
    for (int i = 0; i < options_.window; ++i) publishers_.push_back(connect_to(options_.port, 0));

    const double cpu = cpu_us(options_.server_pid);
    const auto start = now_ns();
    const auto deadline = start + std::int64_t{options_.seconds} * 1'000'000'000;
    for (const int fd : publishers_) watch(fd, fd), publish(fd);
    while (complete_ < options_.messages) {
      if (now_ns() > deadline)
        throw std::runtime_error(fmt::format("not done in time: {} of {} messages", complete_, options_.messages));
      turn();
    }
    const double seconds = static_cast<double>(now_ns() - start) / 1e9;
    const double used = cpu_us(options_.server_pid) - cpu;
    report(seconds, used, join_seconds, join_cpu_us, rss_after - rss_before);
  }

 private:
  void join(int index) {
    Subscriber subscriber;
    subscriber.fd = connect_to(options_.port, index);
    send_all(subscriber.fd,
             fmt::format("GET /ws HTTP/1.1\r\nHost: bench\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                         "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
                         "Authorization: Bearer {}\r\n\r\n",
                         tokens_[static_cast<std::size_t>(index) % tokens_.size()]));
    const std::string answer = read_until(subscriber.fd, "\r\n\r\n");
    if (answer.find(" 101 ") == std::string::npos) throw std::runtime_error("no upgrade: " + answer.substr(0, 200));
    send_all(subscriber.fd,
             client_frame(fmt::format(R"({{"event":"communication:join_discussion","data":{{"channelId":{}}}}})",
                                      options_.channel)));
    std::string reply;
    while (reply.empty()) {
      char bytes[4096];
      const ssize_t n = ::recv(subscriber.fd, bytes, sizeof bytes, 0);
      if (n <= 0) die("join");
      subscriber.buffer.append(bytes, static_cast<std::size_t>(n));
      std::size_t at = 0;
      if (auto frame = take_frame(subscriber.buffer, at)) reply = *frame;
      subscriber.buffer.erase(0, at);
    }
    if (reply.find(R"("ok":true)") == std::string::npos) throw std::runtime_error("join refused: " + reply);
    watch(subscriber.fd, -1 - index);
    subscribers_.push_back(std::move(subscriber));
  }

  void watch(int fd, int tag) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = tag;
    if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) != 0) die("epoll_ctl");
  }

  void publish(int fd) {
    if (published_ >= options_.messages) return;
    const std::string body = fmt::format(R"({{"body":"k={} t={} {}"}})", published_, now_ns(), std::string(90, '.'));
    ++published_;
    send_all(
        fd,
        fmt::format(
            "POST /api/admin/channels/{}/discussion/messages HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {}\r\n"
            "Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{}",
            options_.channel, options_.admin_token, body.size(), body));
  }

  void turn() {
    epoll_event events[512];
    const int ready = ::epoll_wait(epoll_, events, 512, 1000);
    for (int i = 0; i < ready; ++i) {
      const int tag = events[i].data.fd;
      tag < 0 ? read_frames(subscribers_[static_cast<std::size_t>(-1 - tag)]) : read_answer(tag);
    }
  }

  void read_answer(int fd) {
    char bytes[16384];
    const ssize_t n = ::recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
    if (n <= 0) die("publisher closed");
    const std::string_view answer(bytes, static_cast<std::size_t>(n));
    if (answer.starts_with("HTTP/1.1 ") && !answer.starts_with("HTTP/1.1 201"))
      throw std::runtime_error("publish: " + std::string(answer));
  }

  void read_frames(Subscriber& subscriber) {
    char bytes[262144];
    const ssize_t n = ::recv(subscriber.fd, bytes, sizeof bytes, MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) die("subscriber closed");
    subscriber.buffer.append(bytes, static_cast<std::size_t>(n));
    std::size_t at = 0;
    const auto now = now_ns();
    while (const auto frame = take_frame(subscriber.buffer, at)) received(subscriber, *frame, now);
    subscriber.buffer.erase(0, at);
  }

  void received(Subscriber& subscriber, const std::string& frame, std::int64_t now) {
    const std::size_t found = frame.find("\"k=");
    if (found == std::string::npos) return;
    int k = 0;
    long long sent = 0;
    std::sscanf(frame.c_str() + found, "\"k=%d t=%lld", &k, &sent);
    if (subscriber.received == order_.size()) order_.push_back({k, 0});
    Delivered& expected = order_[subscriber.received++];
    if (expected.k != k) throw std::runtime_error(fmt::format("order: expected message {}, got {}", expected.k, k));
    latencies_.push_back(now - sent);
    if (++expected.count == options_.subscribers) {
      ++complete_;
      if (published_ < options_.messages)
        publish(publishers_[static_cast<std::size_t>(published_) % publishers_.size()]);
    }
  }

  void report(double seconds, double used, double join_seconds, double join_cpu_us, long rss_kb_more) {
    std::ranges::sort(latencies_);
    const auto percentile = [&](double p) {
      return static_cast<double>(latencies_[static_cast<std::size_t>(p * static_cast<double>(latencies_.size() - 1))]) /
             1e6;
    };
    const double deliveries = static_cast<double>(latencies_.size());
    fmt::print(
        R"({{"subscribers":{},"window":{},"messages":{},"deliveries_per_s":{:.0f},"messages_per_s":{:.1f},"server_us_per_delivery":{:.3f},)"
        R"("p50_ms":{:.2f},"p99_ms":{:.2f},"joins_per_s":{:.0f},"join_us":{:.1f},"rss_kb_per_connection":{:.2f}}})"
        "\n",
        options_.subscribers, options_.window, options_.messages, deliveries / seconds, options_.messages / seconds,
        options_.subscribers > 0 ? used / std::max(1.0, deliveries) : used / options_.messages, percentile(0.5),
        percentile(0.99), options_.subscribers / join_seconds, join_cpu_us / options_.subscribers,
        static_cast<double>(rss_kb_more) / options_.subscribers);
  }

  struct Delivered {
    int k = 0;
    int count = 0;
  };
  Options options_;
  int epoll_;
  std::vector<std::string> tokens_;
  std::vector<Subscriber> subscribers_;
  std::vector<int> publishers_;
  std::vector<Delivered> order_;
  std::vector<std::int64_t> latencies_;
  int published_ = 0;
  int complete_ = 0;
};

/// The floor: a server that sends a frame of the same size to every socket and does nothing else. One send per frame
/// ("direct") or one send per `window` frames ("batch").
void raw_floor(const Options& options) {
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (::bind(listener, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(listener, 4096) != 0)
    die("listen");
  ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size);
  int go[2];
  if (::pipe(go) != 0) die("pipe");
  constexpr std::size_t kFrame = 520;  // what a message event of the benchmark takes on the wire
  const std::size_t per_send = options.batch ? static_cast<std::size_t>(options.window) : 1;
  const int rounds = options.messages / static_cast<int>(per_send);
  const pid_t server = ::fork();
  if (server == 0) {
    ::close(go[1]);  // else the end of the parent's side would never be seen
    std::vector<int> peers;
    for (int i = 0; i < options.subscribers; ++i) peers.push_back(::accept(listener, nullptr, nullptr));
    const std::string frame(kFrame * per_send, 'x');
    char token = 0;
    while (::read(go[0], &token, 1) == 1) {
      for (const int peer : peers) send_all(peer, frame);
    }
    std::_Exit(0);
  }
  ::close(go[0]);
  cpu_set_t core;
  CPU_ZERO(&core);
  CPU_SET(0, &core);
  ::sched_setaffinity(server, sizeof core, &core);
  const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
  for (int i = 0; i < options.subscribers; ++i) {
    const int fd = connect_to(ntohs(address.sin_port), i);
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = fd;
    ::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
  }
  const double cpu = cpu_us(server);
  const auto start = now_ns();
  const std::size_t round_bytes = kFrame * per_send * static_cast<std::size_t>(options.subscribers);
  for (int round = 0; round < rounds; ++round) {
    if (::write(go[1], "g", 1) != 1) die("write");
    for (std::size_t got = 0; got < round_bytes;) {
      epoll_event events[512];
      const int ready = ::epoll_wait(epoll, events, 512, 5000);
      if (ready <= 0) die("the raw server stopped");
      for (int i = 0; i < ready; ++i) {
        char bytes[262144];
        const ssize_t n = ::recv(events[i].data.fd, bytes, sizeof bytes, MSG_DONTWAIT);
        if (n > 0) got += static_cast<std::size_t>(n);
      }
    }
  }
  const double seconds = static_cast<double>(now_ns() - start) / 1e9;
  const double used = cpu_us(server) - cpu;
  ::close(go[1]);
  ::waitpid(server, nullptr, 0);
  const double deliveries = static_cast<double>(rounds) * static_cast<double>(per_send) * options.subscribers;
  fmt::print(R"({{"raw":"{}","subscribers":{},"window":{},"deliveries_per_s":{:.0f},"server_us_per_delivery":{:.3f}}})"
             "\n",
             options.batch ? "batch" : "direct", options.subscribers, options.window, deliveries / seconds,
             used / deliveries);
}

Options parse(int argc, char** argv) {
  Options options;
  const std::map<std::string_view, int*> numbers{
      {"--port", &options.port},     {"--server-pid", &options.server_pid}, {"--subscribers", &options.subscribers},
      {"--window", &options.window}, {"--messages", &options.messages},     {"--seconds", &options.seconds}};
  const std::map<std::string_view, std::string*> texts{
      {"--channel", &options.channel}, {"--admin-token", &options.admin_token}, {"--tokens", &options.tokens_file}};
  for (int i = 1; i < argc; ++i) {
    const std::string_view name = argv[i];
    if (name == "raw") {
      options.raw = true;
    } else if (name == "--batch") {
      options.batch = true;
    } else if (i + 1 < argc && numbers.contains(name)) {
      *numbers.at(name) = std::atoi(argv[++i]);
    } else if (i + 1 < argc && texts.contains(name)) {
      *texts.at(name) = argv[++i];
    } else {
      throw std::runtime_error("unknown argument " + std::string(name));
    }
  }
  return options;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const Options options = parse(argc, argv);
    if (options.raw) {
      raw_floor(options);
    } else {
      Run(options).go();
    }
    return 0;
  } catch (const std::exception& error) {
    std::cerr << "fanout: " << error.what() << "\n";
    return 1;
  }
}
