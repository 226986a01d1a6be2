// Starts programs and measures how long each takes, from just before the spawn
// to just after the wait: what a container runtime waits for.
//
// Everything that is not the program's is prepared before the clock starts:
// arguments, environment, and files in memory for stdin, stdout and stderr.
// posix_spawn shares the address space until exec, so the size of this process
// does not count either.
#pragma once

#include <chrono>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"

namespace linsey::bench {

using Time = std::chrono::duration<double, std::micro>;

struct Launch {
  std::vector<std::string> argv;  // argv[0] is a path
  std::map<std::string, std::string> env;
  std::string input;
};

struct Ran {
  Time took{};
  std::string out;
  std::string err;
};

struct Series {
  std::vector<Ran> runs;  // in the order of the launches
  Time wall{};            // from the first spawn to the last wait
};

/// One after the other. Errors: kIo when one cannot be started or does not exit
/// with 0; the message holds what it printed.
Result<Series> one_by_one(std::span<const Launch> launches);

/// All at once: every one is started before the first is waited for. Errors: as
/// one_by_one.
Result<Series> at_once(std::span<const Launch> launches);

}  // namespace linsey::bench
