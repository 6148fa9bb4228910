// The load generator of the benchmarks, and their floor: one thread, many connections, figures as one line of JSON.
// benchmarks/run.py drives it.

#include <exception>
#include <iostream>
#include <stdexcept>

#include "arguments.hpp"
#include "fanout.hpp"
#include "gets.hpp"
#include "raw_server.hpp"
#include "resume.hpp"
#include "writes.hpp"

int main(int argc, char** argv) {
  try {
    bench::Arguments arguments(argc, argv);
    if (arguments.command() == "fanout") {
      bench::run_fanout(arguments);
    } else if (arguments.command() == "create") {
      bench::run_create(arguments);
    } else if (arguments.command() == "get") {
      bench::run_get(arguments);
    } else if (arguments.command() == "resume") {
      bench::run_resume(arguments);
    } else if (arguments.command() == "raw-server") {
      bench::run_raw_server(arguments);
    } else {
      throw std::runtime_error("no such command: " + arguments.command());
    }
    return 0;
  } catch (const std::exception& error) {
    std::cerr << "load: " << error.what() << "\n";
    return 1;
  }
}
