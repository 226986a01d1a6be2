// The three descriptors that the runtime gives us, taken for what they are.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "base/result.h"

namespace linsey::plugin {

/// What was wrong with descriptors 0 to 2 when the process started.
struct ClosedStdio {
  bool in = false;
  bool out = false;
};

/// Opens /dev/null on those of 0, 1, 2 that are closed.
ClosedStdio fill_closed_stdio();

/// Reads descriptor 0 to its end. With a limit, what came until then is
/// returned, complete or not. Errors: kIo.
Result<std::string> read_stdin(
    std::optional<std::chrono::milliseconds> limit = {});

}  // namespace linsey::plugin
