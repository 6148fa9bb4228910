#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

namespace bench {

/// `--name value` pairs behind the name of a command. What nobody asked for is an error.
class Arguments {
 public:
  Arguments(int argc, char** argv);
  const std::string& command() const { return command_; }
  std::string text(const std::string& name, const std::string& otherwise = {});
  int number(const std::string& name, int otherwise);
  /// The lines of the file that `name` names.
  std::vector<std::string> lines(const std::string& name);
  void require_all_used() const;

 private:
  std::string command_;
  std::map<std::string, std::string> values_;
  std::set<std::string> used_;
};

}  // namespace bench
