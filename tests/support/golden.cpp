#include "tests/support/golden.h"

#include <cstdlib>

#include <gtest/gtest.h>

#include "base/file.h"

namespace linsey::tests {
namespace {

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  if (value == nullptr) panic(std::string(name) + " is not set; use ctest");
  return value;
}

}  // namespace

std::string source_dir() {
  return environment("LINSEY_SOURCE");
}
std::string build_dir() {
  return environment("LINSEY_BUILD");
}

void expect_golden(const std::string& name, const std::string& actual) {
  const std::string path = source_dir() + "/tests/golden/" + name;
  if (std::getenv("LINSEY_REWRITE_GOLDEN") != nullptr) {
    const auto directory = path.substr(0, path.rfind('/'));
    ASSERT_TRUE(make_directories(directory).has_value());
    ASSERT_TRUE(write_file_atomic(path, actual, {.sync = false}).has_value());
    return;
  }
  const Result<std::string> expected = read_file(path);
  ASSERT_TRUE(expected.has_value()) << "no golden file " << path;
  EXPECT_EQ(*expected, actual) << "differs from " << path;
}

}  // namespace linsey::tests
