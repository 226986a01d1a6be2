// Release notes: "give this back", for an agent that is down. One small file
// for each attachment (its form stands in rpc/message.h), written so that it
// survives a power loss, read and deleted by the agent.
#pragma once

#include <string>

#include "base/result.h"
#include "ipam/types.h"

namespace linsey::plugin {

/// Leaves a note in `directory`, which is made 0700 when it is missing.
/// Errors: kIo, kDiskFull, kPermission. Durable: on success.
Result<void> leave_note(const std::string& directory,
                        const ipam::AttachmentKey& key, const ipam::Pod& pod);

}  // namespace linsey::plugin
