#include "belfry/outbound/http_client.hpp"

#include <curl/curl.h>

#include <atomic>
#include <deque>
#include <map>
#include <mutex>
#include <stdexcept>
#include <thread>

#include "belfry/telemetry/log.hpp"

namespace belfry::outbound {
namespace {

constexpr std::size_t kMaxQueuedCalls = 1024;
constexpr long kMaxConnections = 16;

/// One call on its way; owned by the client's thread once taken from the queue.
struct Transfer {
  HttpCall call;
  std::move_only_function<void(core::Result<HttpAnswer>)> done;
  CURL* easy = nullptr;
  curl_slist* headers = nullptr;
  HttpAnswer answer;

  Transfer() = default;
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;
  ~Transfer() {
    if (easy != nullptr) curl_easy_cleanup(easy);
    curl_slist_free_all(headers);
  }
};

std::size_t receive(char* data, std::size_t size, std::size_t count, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  const std::size_t bytes = size * count;
  if (transfer.answer.body.size() + bytes > transfer.call.max_response_bytes)
    return 0;  // ends the transfer with an error
  transfer.answer.body.append(data, bytes);
  return bytes;
}

core::Error no_answer() { return core::Error::unavailable("A service this server depends on did not answer."); }

}  // namespace

class HttpClient::Impl {
 public:
  Impl(Poster poster, std::string ca_file) : poster_(std::move(poster)), ca_file_(std::move(ca_file)) {
    static const CURLcode ready = curl_global_init(CURL_GLOBAL_DEFAULT);
    multi_ = curl_multi_init();
    if (ready != CURLE_OK || multi_ == nullptr) throw std::runtime_error("libcurl cannot start");
    curl_multi_setopt(multi_, CURLMOPT_MAX_TOTAL_CONNECTIONS, kMaxConnections);
    thread_ = std::thread([this] { run(); });
  }

  ~Impl() {
    stopping_ = true;
    curl_multi_wakeup(multi_);
    thread_.join();
    running_.clear();
    curl_multi_cleanup(multi_);
  }

  void send(HttpCall call, std::move_only_function<void(core::Result<HttpAnswer>)> done) {
    auto transfer = std::make_unique<Transfer>();
    transfer->call = std::move(call);
    transfer->done = std::move(done);
    {
      const std::lock_guard lock(mutex_);
      if (queue_.size() < kMaxQueuedCalls) {
        queue_.push_back(std::move(transfer));
      }
    }
    if (transfer) return finish(std::move(transfer), false);
    curl_multi_wakeup(multi_);
  }

 private:
  void run() {
    while (!stopping_) {
      start_queued();
      int active = 0;
      curl_multi_perform(multi_, &active);
      collect();
      curl_multi_poll(multi_, nullptr, 0, 1000, nullptr);
    }
    for (auto& [easy, transfer] : running_) curl_multi_remove_handle(multi_, easy);
  }

  void start_queued() {
    std::deque<std::unique_ptr<Transfer>> fresh;
    {
      const std::lock_guard lock(mutex_);
      fresh.swap(queue_);
    }
    for (auto& transfer : fresh) {
      prepare(*transfer);
      CURL* easy = transfer->easy;
      if (easy == nullptr || curl_multi_add_handle(multi_, easy) != CURLM_OK) {
        finish(std::move(transfer), false);
      } else {
        running_.emplace(easy, std::move(transfer));
      }
    }
  }

  void prepare(Transfer& transfer) const {
    CURL* easy = transfer.easy = curl_easy_init();
    if (easy == nullptr) return;
    const HttpCall& call = transfer.call;
    for (const auto& [name, value] : call.headers) {
      transfer.headers = curl_slist_append(transfer.headers, (name + ": " + value).c_str());
    }
    curl_easy_setopt(easy, CURLOPT_URL, call.url.c_str());
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(call.timeout.count()));
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer.headers);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &receive);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, &transfer);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "belfry");
    if (!ca_file_.empty()) curl_easy_setopt(easy, CURLOPT_CAINFO, ca_file_.c_str());
    if (call.method == "POST") {
      curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(call.body.size()));
      curl_easy_setopt(easy, CURLOPT_POSTFIELDS, call.body.c_str());
    } else if (call.method != "GET") {
      curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, call.method.c_str());
    }
  }

  void collect() {
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      CURL* easy = message->easy_handle;
      const CURLcode code = message->data.result;
      const auto found = running_.find(easy);
      curl_multi_remove_handle(multi_, easy);
      if (found == running_.end()) continue;
      auto transfer = std::move(found->second);
      running_.erase(found);
      long status = 0;
      curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
      transfer->answer.status = static_cast<int>(status);
      if (code != CURLE_OK) telemetry::warn("outbound_call_failed", {{"error", curl_easy_strerror(code)}});
      finish(std::move(transfer), code == CURLE_OK);
    }
  }

  void finish(std::unique_ptr<Transfer> transfer, bool answered) {
    core::Result<HttpAnswer> result = core::fail(no_answer());
    if (answered) result = std::move(transfer->answer);
    poster_([done = std::move(transfer->done), result = std::move(result)]() mutable { done(std::move(result)); });
  }

  Poster poster_;
  const std::string ca_file_;
  CURLM* multi_ = nullptr;
  std::mutex mutex_;
  std::deque<std::unique_ptr<Transfer>> queue_;
  std::map<CURL*, std::unique_ptr<Transfer>> running_;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

HttpClient::HttpClient(Poster poster, std::string ca_file)
    : impl_(std::make_unique<Impl>(std::move(poster), std::move(ca_file))) {}
HttpClient::~HttpClient() = default;

void HttpClient::send(HttpCall call, std::move_only_function<void(core::Result<HttpAnswer>)> done) {
  impl_->send(std::move(call), std::move(done));
}

}  // namespace belfry::outbound
