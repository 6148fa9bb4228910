#pragma once

namespace bench {

class Arguments;

/// The command `fanout`: joins everybody, then publishes with a window of messages that are not delivered to everybody
/// yet, or at a fixed rate, and reports what a delivery cost the server. Rooms take turns.
void run_fanout(Arguments& arguments);

}  // namespace bench
