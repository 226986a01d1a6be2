// A machine with a BIRD, for tests with two or more real ones.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/file.h"
#include "base/process.h"
#include "bgp/bird_driver.h"
#include "netlink/netns.h"
#include "tests/support/temp_dir.h"

namespace linsey::tests {

/// A machine: a namespace with a BIRD that the test starts.
struct Machine {
  netlink::NetNs ns = netlink::NetNs::create().value();
  TempDir dir;
  Child bird;
  bgp::Speaker speaker;

  bgp::BirdPaths paths() const {
    return {dir / "bird.conf", dir / "bird.ctl", "bird",
            std::chrono::seconds(10)};
  }
  std::string run(const std::vector<std::string>& argv) const {
    const auto out = run_ok({.argv = argv, .netns_fd = ns.fd()});
    EXPECT_TRUE(out.has_value()) << to_string(out.error());
    return out ? *out : std::string();
  }
  void ip_command(const std::string& rest) const {
    run({"sh", "-ec", "ip " + rest});
  }
  void start_bird(bool recover) {
    std::vector<std::string> argv{"bird", "-f",
                                  "-c",   dir / "bird.conf",
                                  "-s",   dir / "bird.ctl",
                                  "-P",   dir / "bird.pid"};
    if (recover) argv.push_back("-R");
    bird = Child::start({.argv = argv,
                         .netns_fd = ns.fd(),
                         .output_file = dir / "bird.log"})
               .value();
  }
  bool established() const {
    const auto seen = bgp::observe(speaker, paths());
    return seen && !seen->peers.empty() &&
           std::all_of(seen->peers.begin(), seen->peers.end(),
                       [](const bgp::Session& s) { return s.established(); });
  }
  bool announces(const std::vector<Cidr>& blocks) const {
    const auto seen = bgp::observe(speaker, paths());
    return seen && seen->announced == blocks;
  }
  std::string routes(const std::string& family = "-4") const {
    return run({"ip", family, "route", "show"});
  }
  std::string log() const {
    return read_file(dir / "bird.log").value_or(std::string("no log"));
  }
};

}  // namespace linsey::tests
