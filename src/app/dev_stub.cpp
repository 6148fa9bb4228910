#include "app/commands.hpp"
namespace belfry::app {
void add_dev(CLI::App&, Chosen&) {}
}  // namespace belfry::app
