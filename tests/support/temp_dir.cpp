#include "tests/support/temp_dir.h"

#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "base/result.h"

namespace linsey::tests {

TempDir::TempDir() {
  const char* place = std::getenv("TMPDIR");
  path_ = std::string(place != nullptr && *place == '/' ? place : "/tmp") +
          "/linsey-test-XXXXXX";
  if (mkdtemp(path_.data()) == nullptr) panic("mkdtemp failed");
}

TempDir::~TempDir() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace linsey::tests
