// Runs a fuzz entry once over every file of the folders given: the seeds, and
// what a fuzzer once found. Fails when there is none, so that a moved folder is
// noticed.
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <string>

#include "base/file.h"

// libFuzzer's own name for the entry.
// NOLINTNEXTLINE(readability-identifier-naming)
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size);

int main(int argc, char** argv) {
  int count = 0;
  for (int i = 1; i < argc; ++i) {
    for (const auto& entry : std::filesystem::directory_iterator(argv[i])) {
      const linsey::Result<std::string> seed =
          linsey::read_file(entry.path().string());
      if (!seed) {
        (void)std::fprintf(stderr, "%s\n", seed.error().msg.c_str());
        return 1;
      }
      (void)LLVMFuzzerTestOneInput(
          reinterpret_cast<const std::uint8_t*>(seed->data()), seed->size());
      ++count;
    }
  }
  (void)std::printf("%d seeds\n", count);
  return count > 0 ? 0 : 1;
}
