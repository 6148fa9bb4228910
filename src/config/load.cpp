#include <algorithm>
#include <array>

#include "belfry/config/settings.hpp"
#include "config/file.hpp"
#include "config/values.hpp"

namespace belfry::config {
namespace {

constexpr std::string_view kPrefix = "BELFRY_";
constexpr std::string_view kConfigVariable = "BELFRY_CONFIG";

/// Control characters would let a value forge a line of its own.
std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text.substr(0, 80)) out += (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) ? '?' : c;
  return out + (text.size() > 80 ? "…\"" : "\"");
}

/// An address may hold a password, well formed or not.
bool may_hold_password(const Key& key, std::string_view text) {
  constexpr std::array<std::string_view, 3> kAddresses{"bus", "entitlements", "jwt_jwks"};
  return std::ranges::find(kAddresses, key.name) != kAddresses.end() && text.find(':') != std::string_view::npos;
}

std::string without_credentials(const Key& key, std::string text) {
  if (!may_hold_password(key, text)) return text;
  const auto host = text.find("//");
  if (host == std::string::npos) return "…";
  // Of a service whose path may be what nobody is to know, the host is shown.
  const auto path = text.find('/', host + 2);
  if (key.name == "entitlements" && path != std::string::npos && path + 1 < text.size())
    text = text.substr(0, path + 1) + "…";
  const auto end = text.rfind('@');
  return end == std::string::npos ? text : text.substr(0, host + 2) + "…" + text.substr(end);
}

const std::string* find(const std::vector<std::pair<std::string, std::string>>& pairs, std::string_view name) {
  const auto found = std::ranges::find(pairs, name, &std::pair<std::string, std::string>::first);
  return found == pairs.end() ? nullptr : &found->second;
}

/// A platform that hands every variable over, set or not, means "not set" by an empty one.
const std::string* find_variable(const Input& input, const std::string& name) {
  const auto* value = find(input.environment, name);
  return value == nullptr || value->empty() ? nullptr : value;
}

std::string without_newline(std::string text) {
  if (text.ends_with('\n')) text.pop_back();
  if (text.ends_with('\r')) text.pop_back();
  return text;
}

/// Applies one layer after another, least first, so that the last one given stands. A bad value is a problem even where
/// a later layer would hide it.
class Loader {
 public:
  explicit Loader(const Input& input) : input_(input) {}

  std::expected<Loaded, std::vector<std::string>> run() {
    read_config();
    for (const auto& key : keys()) load_key(key);
    refuse_what_does_not_go_together();
    for (const auto& flag : input_.flags) refuse_unknown_flag(flag.first);
    warn_of_unknown_variables();
    if (!problems_.empty()) return std::unexpected(std::move(problems_));
    return std::move(loaded_);
  }

 private:
  void read_config() {
    if (input_.config_path) {
      path_ = *input_.config_path;
    } else if (const auto* path = find_variable(input_, std::string(kConfigVariable))) {
      path_ = *path;
    }
    if (path_.empty()) return;
    auto text = input_.read_file(path_);
    if (!text) return problem("configuration file " + path_ + ": " + text.error());
    auto entries = parse_file(*text);
    if (!entries) return problem("configuration file " + path_ + ": " + entries.error());
    for (auto& entry : *entries) take_file_entry(std::move(entry));
  }

  void take_file_entry(FileEntry entry) {
    const bool known = std::ranges::any_of(
        keys(), [&](const Key& key) { return entry.key == key.name || (key.secret && entry.key == file_twin(key)); });
    if (!known) return problem("configuration file " + path_ + ": unknown key " + quoted(entry.key));
    if (!entry.value) return problem(entry.key + " (file " + path_ + "): " + entry.value.error());
    file_.emplace_back(std::move(entry.key), std::move(*entry.value));
  }

  void load_key(const Key& key) {
    source_ = "default";
    set_ = false;
    const auto* preferred = find(input_.defaults, key.name);
    if (preferred != nullptr) {
      apply(key, *preferred, "default");
    } else if (!key.default_value.empty()) {
      apply(key, key.default_value, "default");
    }
    load_pair(key, find(file_, key.name), find(file_, file_twin(key)), std::string(key.name), file_twin(key),
              "file " + path_);
    const auto variable = variable_name(key);
    load_pair(key, find_variable(input_, variable), find_variable(input_, variable + "_FILE"), variable,
              variable + "_FILE", "environment");
    if (const auto* flag = key.secret ? nullptr : find(input_.flags, key.name))
      apply(key, *flag, "flag " + flag_name(key));
    loaded_.effective.push_back({std::string(key.name), shown_value(key), source_});
  }

  /// A value, or for a secret the file that holds it; not both in one layer.
  void load_pair(const Key& key, const std::string* value, const std::string* twin, const std::string& name,
                 const std::string& twin_name, const std::string& layer) {
    if (!key.secret) twin = nullptr;
    if (value != nullptr && twin != nullptr) {
      return problem(std::string(key.name) + " (" + layer + "): set " + name + " or " + twin_name + ", not both");
    }
    const auto named = [&](const std::string& which) { return layer == "environment" ? layer + " " + which : layer; };
    if (value != nullptr) return apply(key, *value, named(name));
    if (twin == nullptr) return;
    auto content = input_.read_file(*twin);
    if (!content) {
      return problem(std::string(key.name) + " (" + named(twin_name) + "): cannot read " + quoted(*twin) + ": " +
                     content.error());
    }
    apply(key, without_newline(std::move(*content)), named(twin_name));
  }

  void apply(const Key& key, std::string_view value, const std::string& source) {
    if (!key.apply(loaded_.settings, value)) {
      return problem(std::string(key.name) + " (" + source + "): " +
                     (key.secret || may_hold_password(key, value) ? "the value is not allowed"
                                                                  : quoted(value) + " is not allowed") +
                     "; allowed is " + std::string(key.allowed));
    }
    source_ = source;
    value_ = value;
    set_ = true;
  }

  std::string shown_value(const Key& key) const {
    if (key.secret) return set_ ? "set" : "unset";
    return set_ ? without_credentials(key, value_) : "";
  }

  /// Of the values that take effect, whichever layers they come from.
  void refuse_what_does_not_go_together() {
    const auto& settings = loaded_.settings;
    if (settings.test_echo && !is_loopback(settings.listen)) {
      problem("test_echo (" + source_of("test_echo") + "): needs a loopback address (127.0.0.0/8 or ::1) in listen (" +
              source_of("listen") + "), which is " + quoted(to_text(settings.listen)));
    }
  }

  std::string source_of(std::string_view name) const {
    return std::ranges::find(loaded_.effective, name, &Effective::name)->source;
  }

  void refuse_unknown_flag(const std::string& name) {
    const bool known = std::ranges::any_of(keys(), [&](const Key& key) { return !key.secret && name == key.name; });
    if (!known) problem("unknown flag " + quoted(name));
  }

  void warn_of_unknown_variables() {
    for (const auto& [name, value] : input_.environment) {
      if (!name.starts_with(kPrefix) || name == kConfigVariable) continue;
      const bool known = std::ranges::any_of(keys(), [&](const Key& key) {
        return name == variable_name(key) || (key.secret && name == variable_name(key) + "_FILE");
      });
      if (!known) loaded_.warnings.push_back("unknown variable " + quoted(name) + " is ignored");
    }
  }

  static std::string file_twin(const Key& key) { return std::string(key.name) + "_file"; }
  void problem(std::string line) { problems_.push_back(std::move(line)); }

  const Input& input_;
  std::string path_;
  std::vector<std::pair<std::string, std::string>> file_;
  Loaded loaded_;
  std::vector<std::string> problems_;
  // Of the key at hand.
  std::string source_;
  std::string value_;
  bool set_ = false;
};

}  // namespace

std::expected<Loaded, std::vector<std::string>> load(const Input& input) { return Loader(input).run(); }

}  // namespace belfry::config
