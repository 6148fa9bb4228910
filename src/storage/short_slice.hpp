#pragma once

namespace belfry::storage {

/// Asks the scheduler to let the calling thread run soon when it has something to do, for less time at once: database
/// threads work for microseconds between two answers of the server, and each of these must not wait for a loop that
/// has a thousand sockets to write to. Its share of the processor stays the same. Linux 6.12 and later; elsewhere it
/// does nothing.
void ask_for_short_slices();

}  // namespace belfry::storage
