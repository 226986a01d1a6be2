// HeldFiles: what the agent holds, one small file for each attachment, beside
// its socket.
//
// CRI-O runs a CHECK right after each ADD, on the way to a started pod. A file
// answers in a tenth of the time that a round trip to another process takes,
// and answers also while the agent is down. The ledger stays the truth: a file
// is written after its allocation was saved and told, and removed before the
// path is taken down, so one that can be read is true; one that is missing or
// torn tells nothing, and the agent is asked.
// Durable: no; the directory is in /run and made anew at each start.
// Thread: the agent's loop writes; any process reads.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "base/result.h"
#include "ipam/types.h"

namespace linsey::rpc {

class HeldFiles {
 public:
  /// Of the agent that serves `socket`.
  explicit HeldFiles(const std::string& socket);

  /// Makes the directory (0700) hold the files of `held` and no others.
  /// Errors: kIo.
  Result<void> restore(
      const std::map<ipam::AttachmentKey, ipam::Held>& held) const;
  /// Cost: three system calls. A file that cannot be written is missing.
  void put(const ipam::Held& held) const;
  /// One that is missing is success. Errors: kIo.
  Result<void> drop(const ipam::AttachmentKey& key) const;

  /// nullopt: ask the agent.
  std::optional<ipam::Held> find(const ipam::AttachmentKey& key) const;

 private:
  std::string path_of(const ipam::AttachmentKey& key) const;

  std::string directory_;
};

}  // namespace linsey::rpc
