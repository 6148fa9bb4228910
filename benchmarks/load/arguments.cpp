#include "arguments.hpp"

#include <fstream>
#include <stdexcept>

namespace bench {

Arguments::Arguments(int argc, char** argv) {
  if (argc < 2) throw std::runtime_error("which command?");
  command_ = argv[1];
  for (int i = 2; i < argc; i += 2) {
    const std::string name = argv[i];
    if (!name.starts_with("--") || i + 1 == argc) throw std::runtime_error("not a pair: " + name);
    values_[name.substr(2)] = argv[i + 1];
  }
}

std::string Arguments::text(const std::string& name, const std::string& otherwise) {
  used_.insert(name);
  const auto found = values_.find(name);
  return found == values_.end() ? otherwise : found->second;
}

int Arguments::number(const std::string& name, int otherwise) {
  const auto found = text(name);
  return found.empty() ? otherwise : std::stoi(found);
}

std::vector<std::string> Arguments::lines(const std::string& name) {
  const auto path = text(name);
  std::vector<std::string> lines;
  if (path.empty()) return lines;
  std::ifstream file(path);
  if (!file) throw std::runtime_error("cannot read " + path);
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

void Arguments::require_all_used() const {
  for (const auto& [name, value] : values_) {
    if (!used_.contains(name)) throw std::runtime_error("unknown argument --" + name);
  }
}

}  // namespace bench
