// Trace: where one run of the plugin spends its time, for the benchmark.
#pragma once

namespace linsey::plugin::trace {

/// Remembers that the phase `name` (a literal) ends here. Cost: one clock
/// reading from the vDSO, whether LINSEY_TRACE is set or not.
void mark(const char* name);

/// With LINSEY_TRACE=1: prints to stderr one line "trace NAME US" for each
/// mark, microseconds since the first one.
void print();

}  // namespace linsey::plugin::trace
