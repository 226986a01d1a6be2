// RecordingVfs: a disk that remembers every step SQLite takes on it, so that
// the files can be had again as a crash after any step, or a power loss with
// any part of what was not synced, would have left them.
//
// It passes everything on to SQLite's own VFS and writes down creations,
// writes, cuts, syncs and removals in their order. The -shm file is not
// recorded: SQLite makes it anew from the log.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace linsey::tests {

struct DiskStep {
  enum class What : std::uint8_t { kCreate, kWrite, kCut, kSync, kRemove };
  What what = What::kWrite;
  std::string file;  // without its directory
  std::size_t offset = 0;
  std::string bytes;
  std::size_t size = 0;  // kCut
};

using Files = std::map<std::string, std::string>;

/// All files as they were after `steps` whole steps and `bytes` bytes of the
/// one after them: what a killed process leaves.
Files after_kill(const std::vector<DiskStep>& steps, std::size_t count,
                 std::size_t bytes);

/// What a power loss after `count` steps leaves: of each file what was synced,
/// and of the writes since then the first `bytes` bytes, in their order. With
/// `forget` a file that was never synced is not there at all.
Files after_power_loss(const std::vector<DiskStep>& steps, std::size_t count,
                       std::size_t bytes, bool forget);
/// How many bytes are written and not synced after `count` steps.
std::size_t unsynced_bytes(const std::vector<DiskStep>& steps,
                           std::size_t count);

/// From its construction to its destruction SQLite's default VFS. One at a
/// time; no connection outlives it.
class RecordingVfs {
 public:
  RecordingVfs();
  ~RecordingVfs();
  RecordingVfs(const RecordingVfs&) = delete;
  RecordingVfs& operator=(const RecordingVfs&) = delete;

  const std::vector<DiskStep>& steps() const;
};

}  // namespace linsey::tests
