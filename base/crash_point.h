// CRASH_POINT("name"): where a test build kills itself on request.
#pragma once

namespace linsey {

/// Ends the process by SIGKILL when the environment variable
/// LINSEY_CRASH_AT equals `name` (or "name:N" for the N-th time it is
/// reached). Only called where LINSEY_CRASH_POINTS was compiled in.
void crash_point(const char* name);

}  // namespace linsey

#ifdef LINSEY_CRASH_POINTS
#define CRASH_POINT(name) ::linsey::crash_point(name)
#else
#define CRASH_POINT(name) static_cast<void>(0)
#endif
