#include "storage/short_slice.hpp"

#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>

namespace belfry::storage {
namespace {

constexpr std::uint64_t kSliceNanoseconds = 100'000;  ///< the least that Linux gives
constexpr std::uint32_t kOrdinary = 0;                ///< the scheduling policy SCHED_OTHER

/// As sched_setattr(2) has it. Debian's header of that name cannot stand beside the C library's.
struct SchedulingAttributes {
  std::uint32_t size = sizeof(SchedulingAttributes);
  std::uint32_t policy = 0;
  std::uint64_t flags = 0;
  std::int32_t nice = 0;
  std::uint32_t priority = 0;
  std::uint64_t runtime = 0;
  std::uint64_t deadline = 0;
  std::uint64_t period = 0;
};
static_assert(sizeof(SchedulingAttributes) == 48);

}  // namespace

void ask_for_short_slices() {
  SchedulingAttributes now;
  if (::syscall(SYS_sched_getattr, 0, &now, sizeof now, 0) != 0 || now.policy != kOrdinary) return;
  now.runtime = kSliceNanoseconds;
  // A container may forbid it, and nothing is lost then.
  (void)::syscall(SYS_sched_setattr, 0, &now, 0);
}

}  // namespace belfry::storage
