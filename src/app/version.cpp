#include <cstdio>

#include "app/commands.hpp"

namespace belfry::app {

void add_version(CLI::App& root, Chosen& chosen) {
  auto* command = root.add_subcommand("version", "Print the version");
  command->callback([&chosen] {
    chosen = [] {
      std::puts("belfry " BELFRY_VERSION);
      return 0;
    };
  });
}

}  // namespace belfry::app
