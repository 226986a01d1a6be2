#include "base/crash_point.h"

#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <map>
#include <string>

namespace linsey {

void crash_point(const char* name) {
  const char* wanted = std::getenv("LINSEY_CRASH_AT");
  if (wanted == nullptr) return;
  const std::string text(wanted);
  const auto colon = text.find(':');
  if (text.substr(0, colon) != name) return;
  static std::map<std::string, int> reached;
  const int nth =
      colon == std::string::npos ? 1 : std::atoi(text.c_str() + colon + 1);
  if (++reached[name] < nth) return;
  (void)kill(getpid(), SIGKILL);
  for (;;) {
    pause();
  }
}

}  // namespace linsey
