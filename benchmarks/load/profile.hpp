#pragma once

namespace bench {

/// Samples a process with perf while this object lives, if the variable BELFRY_BENCH_PERF names a file for it. So a
/// profile has the phase that is measured, without the preparations.
class Profile {
 public:
  explicit Profile(int pid);
  ~Profile();
  Profile(const Profile&) = delete;
  Profile& operator=(const Profile&) = delete;

 private:
  int perf_ = -1;
};

}  // namespace bench
