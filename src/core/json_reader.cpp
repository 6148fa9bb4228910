#include "belfry/core/json_reader.hpp"

#include <charconv>
#include <cmath>
#include <cstdlib>
#include <optional>
#include <string>

#include "belfry/core/text.hpp"

namespace belfry::core {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

void append_utf8(std::string& out, std::uint32_t point) {
  const auto put = [&](std::uint32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (point < 0x80) return put(point);
  if (point < 0x800) {
    put(0xC0 | point >> 6);
  } else {
    if (point < 0x10000) {
      put(0xE0 | point >> 12);
    } else {
      put(0xF0 | point >> 18);
      put(0x80 | (point >> 12 & 0x3F));
    }
    put(0x80 | (point >> 6 & 0x3F));
  }
  put(0x80 | (point & 0x3F));
}

class Reader {
 public:
  Reader(std::string_view text, JsonEvents& events) : at_(text.data()), end_(at_ + text.size()), events_(events) {}

  JsonEnd run() {
    auto next = Next::kValue;
    while (next != Next::kEnd) {
      skip_space();
      if (at_ == end_) return next == Next::kBehind && open_.empty() ? JsonEnd::kRead : JsonEnd::kMalformed;
      next = step(next);
    }
    return end_reason_;
  }

 private:
  enum class Next : std::uint8_t { kValue, kKey, kBehind, kEnd };

  Next step(Next next) {
    switch (next) {
      case Next::kValue:
        return value();
      case Next::kKey:
        return key();
      case Next::kBehind:
        return behind();
      case Next::kEnd:
        break;
    }
    return next;
  }

  Next stop(JsonEnd reason) {
    end_reason_ = reason;
    return Next::kEnd;
  }
  Next malformed() { return stop(JsonEnd::kMalformed); }
  Next told(bool go_on, Next next) { return go_on ? next : stop(JsonEnd::kStopped); }

  Next value() {
    switch (*at_) {
      case '{':
        return open('}', events_.begin_object(), Next::kKey);
      case '[':
        return open(']', events_.begin_array(), Next::kValue);
      case '"': {
        const auto text = string();
        return text ? told(events_.string(*text), Next::kBehind) : malformed();
      }
      case 't':
        return word("true") ? told(events_.boolean(true), Next::kBehind) : malformed();
      case 'f':
        return word("false") ? told(events_.boolean(false), Next::kBehind) : malformed();
      case 'n':
        return word("null") ? told(events_.null(), Next::kBehind) : malformed();
      default:
        return number();
    }
  }

  /// An empty one is closed at once: behind a comma a closing bracket is none.
  Next open(char closing, bool go_on, Next inside) {
    if (!go_on) return stop(JsonEnd::kStopped);
    ++at_;
    open_.push_back(closing);
    skip_space();
    return at_ != end_ && *at_ == closing ? close() : inside;
  }

  Next close() {
    ++at_;
    const bool object = open_.back() == '}';
    open_.pop_back();
    return told(object ? events_.end_object() : events_.end_array(), Next::kBehind);
  }

  Next key() {
    if (*at_ != '"') return malformed();
    const auto name = string();
    if (!name) return malformed();
    if (!events_.key(*name)) return stop(JsonEnd::kStopped);
    skip_space();
    if (at_ == end_ || *at_ != ':') return malformed();
    ++at_;
    return Next::kValue;
  }

  Next behind() {
    if (open_.empty()) return malformed();
    if (*at_ == open_.back()) return close();
    if (*at_ != ',') return malformed();
    ++at_;
    return open_.back() == '}' ? Next::kKey : Next::kValue;
  }

  Next number() {
    const auto* const begin = at_;
    if (at_ != end_ && *at_ == '-') ++at_;
    if (at_ == end_ || !is_digit(*at_)) return malformed();
    if (*at_ == '0') {
      ++at_;
    } else {
      skip_digits();
    }
    bool whole = true;
    if (at_ != end_ && *at_ == '.') {
      whole = false;
      ++at_;
      if (!skip_digits()) return malformed();
    }
    if (at_ != end_ && (*at_ == 'e' || *at_ == 'E')) {
      whole = false;
      ++at_;
      if (at_ != end_ && (*at_ == '+' || *at_ == '-')) ++at_;
      if (!skip_digits()) return malformed();
    }
    const std::string_view text(begin, static_cast<std::size_t>(at_ - begin));
    std::int64_t integer = 0;
    if (whole && std::from_chars(begin, at_, integer).ec == std::errc{}) {
      return told(events_.integer(integer), Next::kBehind);
    }
    // The process never leaves the C locale, in which this reads what JSON writes.
    if (!std::isfinite(std::strtod(std::string(text).c_str(), nullptr))) return stop(JsonEnd::kTooLarge);
    return told(events_.number(text), Next::kBehind);
  }

  bool skip_digits() {
    const auto* const begin = at_;
    while (at_ != end_ && is_digit(*at_)) ++at_;
    return at_ != begin;
  }

  /// From one quotation mark behind the other.
  std::optional<std::string_view> string() {
    const auto* begin = ++at_;
    bool ascii = true;
    bool copied = false;
    while (at_ != end_) {
      const auto c = static_cast<unsigned char>(*at_);
      if (c == '"') {
        const std::string_view rest(begin, static_cast<std::size_t>(at_++ - begin));
        if (!ascii && !is_utf8(rest)) return std::nullopt;
        if (!copied) return rest;
        scratch_ += rest;
        return scratch_;
      }
      if (c < 0x20) return std::nullopt;
      if (c != '\\') {
        ascii = ascii && c < 0x80;
        ++at_;
        continue;
      }
      const std::string_view plain(begin, static_cast<std::size_t>(at_ - begin));
      if (!ascii && !is_utf8(plain)) return std::nullopt;
      if (!copied) scratch_.clear();
      copied = true;
      scratch_ += plain;
      if (!escape()) return std::nullopt;
      begin = at_;
      ascii = true;
    }
    return std::nullopt;
  }

  bool escape() {
    constexpr std::string_view kLetters = "\"\\/bfnrt";
    constexpr std::string_view kMeant = "\"\\/\b\f\n\r\t";
    if (++at_ == end_) return false;
    const char letter = *at_++;
    if (letter == 'u') return escaped_point();
    const auto place = kLetters.find(letter);
    if (place == std::string_view::npos) return false;
    scratch_.push_back(kMeant[place]);
    return true;
  }

  bool escaped_point() {
    auto point = four_digits();
    if (!point || (*point >= 0xDC00 && *point <= 0xDFFF)) return false;
    if (*point >= 0xD800 && *point <= 0xDBFF) {
      if (!word("\\u")) return false;
      const auto low = four_digits();
      if (!low || *low < 0xDC00 || *low > 0xDFFF) return false;
      point = 0x10000 + ((*point - 0xD800) << 10) + (*low - 0xDC00);
    }
    append_utf8(scratch_, *point);
    return true;
  }

  std::optional<std::uint32_t> four_digits() {
    constexpr std::ptrdiff_t kDigits = 4;
    std::uint32_t value = 0;
    if (end_ - at_ < kDigits) return std::nullopt;
    const auto [stopped, error] = std::from_chars(at_, at_ + kDigits, value, 16);
    if (error != std::errc{} || stopped != at_ + kDigits) return std::nullopt;
    at_ = stopped;
    return value;
  }

  bool word(std::string_view expected) {
    if (!std::string_view(at_, static_cast<std::size_t>(end_ - at_)).starts_with(expected)) return false;
    at_ += expected.size();
    return true;
  }

  void skip_space() {
    while (at_ != end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\r' || *at_ == '\t')) ++at_;
  }

  const char* at_;
  const char* end_;
  JsonEvents& events_;
  std::string open_;     ///< the closing bracket of each that is open
  std::string scratch_;  ///< a string that has escapes
  JsonEnd end_reason_ = JsonEnd::kMalformed;
};

}  // namespace

JsonEnd read_json(std::string_view text, JsonEvents& events) { return Reader(text, events).run(); }

}  // namespace belfry::core
