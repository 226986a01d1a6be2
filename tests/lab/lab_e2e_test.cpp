// The program itself: what it leaves when it ends, in whatever way.
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <functional>
#include <thread>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/process.h"
#include "lab/control.h"
#include "lab/daemon.h"
#include "lab/inventory.h"
#include "lab/lab_directory.h"
#include "tests/support/golden.h"
#include "tests/support/temp_dir.h"

namespace linsey::lab {
namespace {

using std::chrono::milliseconds;

class Lab : public testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs root for network namespaces";
    ASSERT_EQ(setenv("LINSEY_LAB_DIR", dir_.path().c_str(), 1), 0);
  }
  void TearDown() override {
    for (const std::string& name : names_) {
      (void)lab({"down", "--name", name});
    }
  }

  Finished lab(std::vector<std::string> words) {
    words.insert(words.begin(), tests::build_dir() + "/lab/linsey-lab");
    Command command;
    command.argv = std::move(words);
    command.timeout = milliseconds(60000);
    return run(command).value();
  }
  Finished up(const std::string& name) {
    names_.push_back(name);
    return lab({"up", "--name", name, "-d"});
  }
  Finished up_with(const std::string& topology) {
    names_.push_back(topology);
    return lab({"up", "--name", topology, "-d", "--topology",
                tests::source_dir() + "/lab/topologies/" + topology + ".json"});
  }
  std::string directory(const std::string& name) { return dir_ / name; }

  /// What a command of a namespace says, once `good` likes it, or at last.
  std::string shown(const std::vector<std::string>& words,
                    const std::function<bool(const std::string&)>& good) {
    std::string out;
    for (int i = 0; i < 600; ++i) {
      out = lab(words).out;
      if (good(out)) return out;
      std::this_thread::sleep_for(milliseconds(50));
    }
    return out;
  }

  Inventory inventory(const std::string& name) {
    auto client = ControlClient::connect(control_socket(directory(name)));
    const auto answer = client->call({{"op", "inventory"}});
    return parse_inventory(dump_json(*answer->result)).value();
  }

  /// Asks again while the kernel takes down what was killed.
  static Proof proof_of(const Inventory& inventory) {
    Proof proof = prove_gone(inventory);
    for (int i = 0; i < 200 && !proof.clean(); ++i) {
      std::this_thread::sleep_for(milliseconds(25));
      proof = prove_gone(inventory);
    }
    return proof;
  }

  tests::TempDir dir_;
  std::vector<std::string> names_;
};

std::string listed(const Proof& proof) {
  std::string out;
  for (const std::string& line : proof.left) {
    out += line + "\n";
  }
  return out;
}

TEST_F(Lab, DownLeavesNothingAndSaysWhatItLookedAt) {
  const Finished came = up("one");
  ASSERT_EQ(came.exit_code, 0) << came.out << came.err;
  const Inventory before = inventory("one");

  const Finished went = lab({"down", "--name", "one"});

  EXPECT_EQ(went.exit_code, 0) << went.out;
  EXPECT_NE(went.out.find("nothing is left"), std::string::npos) << went.out;
  EXPECT_GE(before.namespaces.size(), 6U);
  EXPECT_TRUE(proof_of(before).clean()) << listed(proof_of(before));
}

TEST_F(Lab, KillingTheDaemonLeavesNothing) {
  ASSERT_EQ(up("one").exit_code, 0);
  const Inventory before = inventory("one");

  ASSERT_EQ(kill(before.processes.at("lab"), SIGKILL), 0);

  const Proof proof = proof_of(before);
  EXPECT_TRUE(proof.clean()) << listed(proof);
  const Finished again = up("one");
  EXPECT_EQ(again.exit_code, 0) << again.out << again.err;
}

TEST_F(Lab, TwoLabsLiveSideBySide) {
  ASSERT_EQ(up("one").exit_code, 0);
  ASSERT_EQ(up("two").exit_code, 0);

  EXPECT_EQ(lab({"down", "--name", "one"}).exit_code, 0);

  EXPECT_EQ(lab({"node", "list", "--name", "two"}).exit_code, 0);
}

TEST_F(Lab, ASecondLabOfTheSameNameIsRefused) {
  ASSERT_EQ(up("one").exit_code, 0);

  const Finished second = up("one");

  EXPECT_NE(second.exit_code, 0);
  EXPECT_NE(second.out.find("choose another --name"), std::string::npos)
      << second.out;
}

TEST_F(Lab, ExecRunsInTheNodesNamespaceAndHandsTheExitCodeBack) {
  ASSERT_EQ(up("one").exit_code, 0);

  const Finished shown = lab({"exec", "--name", "one", "m1", "--", "ip", "-br",
                              "addr", "show", "eth0"});

  EXPECT_NE(shown.out.find("10.0.1.11/24"), std::string::npos)
      << shown.out << shown.err;
  EXPECT_EQ(lab({"exec", "--name", "one", "m1", "--", "sh", "-c", "exit 7"})
                .exit_code,
            7);
}

TEST_F(Lab, TwoTorsOfDifferentAsNumbersShareTheTraffic) {
  ASSERT_EQ(up_with("tor-pair").exit_code, 0);

  // m3 is of another rack, m2 of the own one, so with the own AS number.
  for (const char* block : {"10.244.0.128/26", "10.244.0.64/26"}) {
    const std::string routes =
        shown({"exec", "--name", "tor-pair", "m1", "--", "ip", "-4", "route",
               "show", block},
              [](const std::string& out) {
                return out.find("via 10.0.1.2 ") != out.npos &&
                       out.find("via 10.0.1.3 ") != out.npos;
              });
    EXPECT_NE(routes.find("nexthop via 10.0.1.2 "), routes.npos) << routes;
    EXPECT_NE(routes.find("nexthop via 10.0.1.3 "), routes.npos) << routes;
  }
  const std::string six = shown({"exec", "--name", "tor-pair", "m1", "--", "ip",
                                 "-6", "route", "show", "fd00:244::80/122"},
                                [](const std::string& out) {
                                  return out.find("fd00:1::2 ") != out.npos &&
                                         out.find("fd00:1::3 ") != out.npos;
                                });
  EXPECT_NE(six.find("fd00:1::2 "), six.npos) << six;
  EXPECT_NE(six.find("fd00:1::3 "), six.npos) << six;
}

TEST_F(Lab, ASpoofedSourceDiesInTheVpc) {
  ASSERT_EQ(up("one").exit_code, 0);
  ASSERT_EQ(lab({"exec", "--name", "one", "c1", "--", "ip", "addr", "add",
                 "172.16.0.99/32", "dev", "lo"})
                .exit_code,
            0);

  const Finished pinged =
      lab({"exec", "--name", "one", "c1", "--", "ping", "-c1", "-W1", "-I",
           "172.16.0.99", "172.16.1.12"});

  EXPECT_NE(pinged.exit_code, 0);
  const Finished calls = lab({"calls", "--name", "one", "-o", "json"});
  EXPECT_EQ((*parse_json(calls.out))["spoofed"], 1) << calls.out;
}

TEST_F(Lab, TheDemoReachesItsEndWithEveryPathWorking) {
  const Finished shown = lab({"demo", "--name", "one"});

  EXPECT_EQ(shown.exit_code, 0) << shown.out << shown.err;
  EXPECT_NE(shown.out.find("240 of 240 paths work"), std::string::npos);
  EXPECT_NE(shown.out.find("ZoneNotMapped: zone cn-lab-f"), std::string::npos);
  EXPECT_NE(shown.out.find("ModeConflict: mode bgp"), std::string::npos);
  EXPECT_NE(shown.out.find("nothing is left"), std::string::npos);
}

TEST_F(Lab, AnInterruptedDemoTakesItsLabDown) {
  Command command;
  command.argv = {tests::build_dir() + "/lab/linsey-lab", "demo", "--name",
                  "one"};
  command.output_file = dir_ / "demo.log";
  Child demo = *Child::start(command);
  const auto told = [&](const char* text) {
    return read_file(command.output_file).value_or("").find(text) !=
           std::string::npos;
  };
  for (int i = 0; i < 1000 && !told("[2]"); ++i) {
    std::this_thread::sleep_for(milliseconds(20));
  }

  const int code = demo.stop(milliseconds(30000));

  EXPECT_EQ(code, 128 + SIGTERM);
  EXPECT_TRUE(told("nothing is left"));
  EXPECT_FALSE(path_exists(directory("one")));
}

}  // namespace
}  // namespace linsey::lab
