#include "belfry/core/uuid.hpp"

#include <sys/random.h>

#include <cerrno>
#include <system_error>

namespace belfry::core {
namespace {

constexpr std::uint8_t kVersion = 0x70;
constexpr std::uint8_t kVariant = 0x80;

void fill_random(std::uint8_t* out, std::size_t size) {
  // One system call for many ids: the pool is per thread, and used bytes are never given out again.
  thread_local std::array<std::uint8_t, 1024> pool;
  thread_local std::size_t used = pool.size();
  if (pool.size() - used < size) {
    std::size_t have = 0;
    while (have < pool.size()) {
      const ssize_t got = ::getrandom(pool.data() + have, pool.size() - have, 0);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) throw std::system_error(errno, std::generic_category(), "getrandom");
      have += static_cast<std::size_t>(got);
    }
    used = 0;
  }
  std::memcpy(out, pool.data() + used, size);
  std::memset(pool.data() + used, 0, size);
  used += size;
}

void put_time(std::array<std::uint8_t, 16>& bytes, TimePoint at) {
  const auto millis = static_cast<std::uint64_t>(at.time_since_epoch().count());
  for (std::size_t i = 0; i < 6; ++i) bytes[i] = static_cast<std::uint8_t>(millis >> (8 * (5 - i)));
}

/// The next greater version 7 id: 122 bits count up around the fixed version and variant bits.
Uuid successor(Uuid id) {
  for (std::size_t i = 15; i >= 9; --i) {
    if (++id.bytes[i] != 0) return id;
  }
  const auto low6 = static_cast<std::uint8_t>((id.bytes[8] + 1) & 0x3f);
  id.bytes[8] = kVariant | low6;
  if (low6 != 0) return id;
  if (++id.bytes[7] != 0) return id;
  const auto low4 = static_cast<std::uint8_t>((id.bytes[6] + 1) & 0x0f);
  id.bytes[6] = kVersion | low4;
  if (low4 != 0) return id;
  for (std::size_t i = 6; i-- > 0;) {
    if (++id.bytes[i] != 0) return id;
  }
  return id;
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool dash_before(std::size_t byte) { return byte == 4 || byte == 6 || byte == 8 || byte == 10; }

}  // namespace

std::string Uuid::text() const {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  out.reserve(36);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (dash_before(i)) out.push_back('-');
    out.push_back(kDigits[bytes[i] >> 4]);
    out.push_back(kDigits[bytes[i] & 0x0f]);
  }
  return out;
}

std::optional<Uuid> Uuid::parse(std::string_view text) {
  if (text.size() != 36) return std::nullopt;
  Uuid id;
  std::size_t at = 0;
  for (std::size_t i = 0; i < id.bytes.size(); ++i) {
    if (dash_before(i) && text[at++] != '-') return std::nullopt;
    const int high = hex_value(text[at]);
    const int low = hex_value(text[at + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    id.bytes[i] = static_cast<std::uint8_t>(high << 4 | low);
    at += 2;
  }
  return id;
}

Uuid Uuid::v7(TimePoint at) {
  Uuid id;
  put_time(id.bytes, at);
  fill_random(id.bytes.data() + 6, 10);
  id.bytes[6] = static_cast<std::uint8_t>(kVersion | (id.bytes[6] & 0x0f));
  id.bytes[8] = static_cast<std::uint8_t>(kVariant | (id.bytes[8] & 0x3f));
  return id;
}

Uuid Uuid::v7_after(const std::optional<Uuid>& last, TimePoint at) {
  const Uuid fresh = v7(at);
  if (!last || fresh > *last) return fresh;
  return successor(*last);
}

Uuid Uuid::v7_floor(TimePoint at) {
  Uuid id;
  put_time(id.bytes, at);
  id.bytes[6] = kVersion;
  id.bytes[8] = kVariant;
  return id;
}

TimePoint Uuid::v7_time() const {
  std::uint64_t millis = 0;
  for (std::size_t i = 0; i < 6; ++i) millis = millis << 8 | bytes[i];
  return TimePoint(std::chrono::milliseconds(static_cast<std::int64_t>(millis)));
}

}  // namespace belfry::core
