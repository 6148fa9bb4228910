#pragma once

namespace bench {

class Arguments;

/// The command `resume`: many clients come for the events since the same id. With `--together yes` they have joined
/// before and ask at the same moment (a replay); else all of it, connecting included, is the storm that is measured.
/// Checks that each got `--events` events in rising order.
void run_resume(Arguments& arguments);

}  // namespace bench
