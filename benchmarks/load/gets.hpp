#pragma once

namespace bench {

class Arguments;

/// The command `get`: keep-alive connections that ask for a page again as soon as they have it. `{}` in the path
/// becomes a random number of a range; tokens take turns.
void run_get(Arguments& arguments);

}  // namespace bench
