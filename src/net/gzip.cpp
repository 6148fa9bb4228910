#include "gzip.hpp"

#include <zlib.h>

#include <algorithm>
#include <memory>

namespace belfry::net {
namespace {

constexpr int kLevel = 4;  // beyond it JSON shrinks by little and costs the I/O thread much
constexpr int kGzipWindow = 15 + 16;
constexpr int kMemoryLevel = 8;

std::string_view trim(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

bool equals_ignoring_case(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](char x, char y) {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
    return lower(x) == lower(y);
  });
}

/// `;q=0`, `;q=0.0…` in any parameter; anything else counts as wanted.
bool refused(std::string_view parameters) {
  while (!parameters.empty()) {
    const auto end = std::min(parameters.find(';'), parameters.size());
    const auto parameter = trim(parameters.substr(0, end));
    parameters.remove_prefix(std::min(end + 1, parameters.size()));
    if (parameter.size() < 3 || (parameter[0] != 'q' && parameter[0] != 'Q') || parameter[1] != '=') continue;
    return parameter.substr(2).find_first_not_of("0.") == std::string_view::npos;
  }
  return false;
}

/// A deflate state is 256 KiB: one is kept instead of one made per answer.
class Deflater {
 public:
  Deflater() {
    ready_ = deflateInit2(&stream_, kLevel, Z_DEFLATED, kGzipWindow, kMemoryLevel, Z_DEFAULT_STRATEGY) == Z_OK;
  }
  ~Deflater() {
    if (ready_) deflateEnd(&stream_);
  }
  Deflater(const Deflater&) = delete;
  Deflater& operator=(const Deflater&) = delete;

  std::optional<std::string> run(std::string_view text) {
    if (!ready_ || deflateReset(&stream_) != Z_OK) return {};
    std::string out(text.size(), '\0');
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
    stream_.avail_in = static_cast<uInt>(text.size());
    stream_.next_out = reinterpret_cast<Bytef*>(out.data());
    stream_.avail_out = static_cast<uInt>(out.size());
    if (deflate(&stream_, Z_FINISH) != Z_STREAM_END) return {};
    out.resize(out.size() - stream_.avail_out);
    return out;
  }

 private:
  z_stream stream_{};
  bool ready_ = false;
};

}  // namespace

bool accepts_gzip(std::string_view accept_encoding) {
  bool any = false;
  while (!accept_encoding.empty()) {
    const auto end = std::min(accept_encoding.find(','), accept_encoding.size());
    const auto item = accept_encoding.substr(0, end);
    accept_encoding.remove_prefix(std::min(end + 1, accept_encoding.size()));
    const auto name_end = std::min(item.find(';'), item.size());
    const auto name = trim(item.substr(0, name_end));
    const bool wanted = !refused(item.substr(std::min(name_end + 1, item.size())));
    if (equals_ignoring_case(name, "gzip") || equals_ignoring_case(name, "x-gzip")) return wanted;
    if (name == "*") any = wanted;
  }
  return any;
}

std::optional<std::string> gzip(std::string_view text) {
  thread_local Deflater deflater;
  return deflater.run(text);
}

}  // namespace belfry::net
