// Why a directory of the host cannot be written or run from, said so that an
// operator can act: which mount, how full, which owner, which SELinux label.
// "Read-only file system" alone has cost people afternoons.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"

namespace linsey::install {

/// What hinders programs in `dir` from being run, before any is written:
/// a mount with noexec. Errors: kBinDirUnusable. A `dir` that is not there
/// yet is judged by its nearest parent.
Result<void> can_run_from(const std::string& dir);

/// Turns the failure of writing `bytes` bytes into `dir` into an error that
/// names the reason and the remedy: a full or read-only file system, missing
/// rights, an immutable directory, an SELinux label. Keeps code and details.
Error explain_write(const Error& error, const std::string& dir,
                    std::size_t bytes);

/// `context`, for what explain_write makes of it.
template <typename T>
Result<T> explained(Result<T> result, const std::string& dir,
                    std::size_t bytes) {
  if (result) return result;
  return explain_write(result.error(), dir, bytes);
}

}  // namespace linsey::install
