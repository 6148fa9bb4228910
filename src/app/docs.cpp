#include <cstdio>
#include <map>

#include <fmt/format.h>

#include "app/commands.hpp"
#include "belfry/core/error.hpp"
#include "belfry/http/service.hpp"
#include "belfry/telemetry/metrics.hpp"

namespace belfry::app {
namespace {

std::string render_errors() {
  std::string out =
      "# Errors\n\n"
      "This page is printed by `belfry docs errors`; a test compares the two.\n\n"
      "A failed request is answered with `{\"statusCode\", \"code\", \"message\", \"reason\"?, \"details\"?, "
      "\"requestId\"}`. A room command "
      "that fails is answered with `{\"code\", \"message\", \"reason\"?, \"details\"?}` under `error`. `code` says "
      "what kind of failure it "
      "is, `reason` narrows it where a screen would differ, `details` lists `{\"field\", \"issue\"}`. \"Again\" tells "
      "whether the same "
      "request can succeed later; `Retry-After` says when, where it is known.\n\n"
      "## Codes\n\n| HTTP | `code` over HTTP | `code` in rooms | again | meaning |\n| --- | --- | --- | --- | --- |\n";
  for (const auto& row : core::error_table()) {
    out += fmt::format("| {} | `{}` | `{}` | {} | {} |\n", row.http_status, row.name, row.websocket,
                       row.retryable ? "yes" : "no", row.meaning);
  }
  out += "\n## Reasons\n\n| `reason` | meaning |\n| --- | --- |\n";
  for (const auto& row : core::reason_table()) {
    if (!row.name.empty()) out += fmt::format("| `{}` | {} |\n", row.name, row.meaning);
  }
  return out;
}

std::string render_routes() {
  std::string out;
  for (const auto& route : http::list_routes()) out += route + "\n";
  return out;
}

}  // namespace

void add_docs(CLI::App& root, Chosen& chosen) {
  auto* command = root.add_subcommand("docs", "Print a page of documentation that is made from the code");
  command->require_subcommand(0, 1);
  const auto add_page = [&](const char* name, const char* help, std::string (*render)()) {
    command->add_subcommand(name, help)->callback([&chosen, render] {
      chosen = [render] {
        const auto text = render();
        return std::fwrite(text.data(), 1, text.size(), stdout) == text.size() ? 0 : kExitFailed;
      };
    });
  };
  add_page("configuration", "Every setting: names, bounds, default", config::render_docs);
  add_page("errors", "Every error code and reason", render_errors);
  add_page("metrics", "Every metric", telemetry::render_metrics_docs);
  add_page("routes", "Every route of the REST API, one per line", render_routes);
}

}  // namespace belfry::app
