// Looks inside: where one call of Linsey spends its time, what the agent's
// ledger and memory cost. Measured apart from the comparison, so that looking
// does not slow it.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "bench/contenders.h"
#include "bench/report.h"
#include "rpc/client.h"

namespace linsey::bench {

/// 60 ADDs and DELs, one after the other, with LINSEY_TRACE=1, and the time of
/// the agent's commits meanwhile. Errors: kDecode when the plugin prints no
/// trace.
Result<void> trace(const Contender& ours, rpc::Client client,
                   Findings& findings);

/// Median of writing 4 KiB to a file in `directory` with fdatasync.
Result<double> disk_sync_us(const std::string& directory);

/// Resident bytes of a process.
Result<std::uint64_t> resident(pid_t pid);

}  // namespace linsey::bench
