// Compares a text with a file under tests/golden. Run the test with
// LINSEY_REWRITE_GOLDEN=1 to rewrite the files; the diff is what is reviewed.
#pragma once

#include <string>

namespace linsey::tests {

/// Fails the running test with both texts when they differ.
void expect_golden(const std::string& name, const std::string& actual);

/// The root of the source tree (environment LINSEY_SOURCE).
std::string source_dir();
/// The build tree (environment LINSEY_BUILD), where the programs are.
std::string build_dir();

}  // namespace linsey::tests
