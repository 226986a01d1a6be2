// A host's files below a directory of the test's own, with plugins that are
// shell scripts.
#pragma once

#include <string>

#include <gtest/gtest.h>

#include "base/file.h"
#include "install/host.h"
#include "tests/support/temp_dir.h"

namespace linsey::install {

struct HostTree : ::testing::Test {
  HostTree() {
    host.root = dir.path();
    EXPECT_TRUE(make_directories(host.at(host.bin_dir)));
    EXPECT_TRUE(make_directories(host.at(host.conf_dir)));
  }

  void write(const std::string& path, const std::string& text,
             mode_t mode = 0644) const {
    EXPECT_TRUE(make_directories(host.at(path.substr(0, path.rfind('/')))));
    EXPECT_TRUE(
        write_file_atomic(host.at(path), text, {.mode = mode, .sync = false}));
  }
  std::string text_of(const std::string& path) const {
    return read_file(host.at(path)).value_or("none");
  }
  bool there(const std::string& path) const {
    return path_exists(host.at(path));
  }

  /// The program text of a plugin that says `about` of itself and speaks CNI
  /// up to `newest`.
  static std::string plugin(const std::string& about,
                            const std::string& newest) {
    return "#!/bin/sh\nif [ \"$CNI_COMMAND\" = VERSION ]; then\n"
           "  echo '{\"cniVersion\":\"1.0.0\",\"supportedVersions\":"
           "[\"0.3.1\",\"" +
           newest + "\"]}'\nelse\n  echo '" + about + "' >&2\nfi\n";
  }
  static std::string linsey(const std::string& version) {
    return plugin("linsey loopback " + version + ": the loopback plugin",
                  "1.1.0");
  }
  void put_plugin(const std::string& name, const std::string& text) const {
    write(host.bin_dir + "/" + name, text, 0755);
  }

  tests::TempDir dir;
  Host host;
};

}  // namespace linsey::install
