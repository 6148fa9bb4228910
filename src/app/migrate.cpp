#include "app/commands.hpp"
#include "belfry/storage/postgres.hpp"

namespace belfry::app {

void add_migrate(CLI::App& root, Chosen& chosen) {
  auto* command = root.add_subcommand("migrate", "Bring the database at BELFRY_DATABASE_URL to this version's schema");
  auto settings = SettingFlags::add(*command, SettingFlags::Names{});
  command->callback([&chosen, settings] {
    chosen = [settings] {
      const auto loaded = settings->load();
      if (!loaded) return kExitUsage;
      const auto applied =
          storage::migrate(loaded->settings.database_url, [](const std::string& line) { complain(line); });
      if (!applied) {
        complain(applied.error().message);
        return kExitFailed;
      }
      complain(*applied == 0 ? "the schema is current" : "the schema is now current");
      return 0;
    };
  });
}

}  // namespace belfry::app
