#include "agent/documents.h"

#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "tests/support/eventually.h"
#include "tests/support/fake_clock.h"
#include "tests/support/temp_dir.h"

namespace linsey::agent {
namespace {

using ::testing::HasSubstr;

struct DocumentsTest : ::testing::Test {
  DocumentsTest() {
    EXPECT_TRUE(make_directories(dir / "etc"));
    EXPECT_TRUE(make_directories(dir / "node"));
    write_config("\"mtu\":1400");
    write_node("rack");
  }

  void write_config(const std::string& more) const {
    write(dir / "etc/agent.json",
          "{\"node\":{\"name\":\"m1\",\"file\":\"" + (dir / "node/node.json") +
              "\"},\"stateDir\":\"" + (dir / "state") + "\"," + more + "}");
  }
  void write_node(const std::string& label) const {
    write(dir / "node/node.json",
          R"({"metadata":{"name":"m1","labels":{"is":")" + label + "\"}}}");
  }
  static void write(const std::string& path, const std::string& text) {
    EXPECT_TRUE(write_file_atomic(path, text, {.mode = 0644, .sync = false}));
  }
  std::unique_ptr<Documents> open() const {
    Result<std::unique_ptr<Documents>> documents =
        Documents::open(dir / "etc/agent.json");
    EXPECT_TRUE(documents) << to_string(documents.error());
    return std::move(documents).value();
  }
  /// Lets inotify tell and the settling time pass.
  void settle(const std::function<bool()>& done) {
    EXPECT_TRUE(tests::eventually([&] {
      loop.run_until_idle();
      clock.advance(std::chrono::milliseconds(50));
      loop.run_until_idle();
      return done();
    }));
  }

  tests::TempDir dir;
  tests::FakeClock clock;
  Loop loop{clock};
};

TEST_F(DocumentsTest, ReadsBoth) {
  const auto documents = open();

  EXPECT_EQ(documents->config().mtu, 1400U);
  EXPECT_EQ(documents->node().labels.at("is"), "rack");
  EXPECT_FALSE(documents->config_refused());
  EXPECT_FALSE(documents->node_error());
}

TEST_F(DocumentsTest, ANewConfigurationComesIntoForce) {
  const auto documents = open();
  int changes = 0;
  ASSERT_TRUE(documents->watch(loop, [&] { ++changes; }));

  write_config("\"mtu\":1300");
  settle([&] { return changes > 0; });

  EXPECT_EQ(documents->config().mtu, 1300U);
  EXPECT_EQ(changes, 1);
}

TEST_F(DocumentsTest, ARefusedConfigurationLeavesTheLastValidOneInForce) {
  const auto documents = open();
  int changes = 0;
  ASSERT_TRUE(documents->watch(loop, [&] { ++changes; }));

  write_config("\"mtoo\":1300");
  settle([&] { return changes == 1; });
  EXPECT_EQ(documents->config().mtu, 1400U);
  EXPECT_THAT(documents->config_refused()->msg, HasSubstr("mtoo"));

  write_config("\"mtu\":1300");
  settle([&] { return changes == 2; });
  EXPECT_EQ(documents->config().mtu, 1300U);
  EXPECT_FALSE(documents->config_refused());
}

TEST_F(DocumentsTest, APoolThatHoldsTheNodesOwnAddressIsRefused) {
  write(dir / "node/node.json",
        R"({"metadata":{"name":"m1"},"status":{"addresses":[
           {"type":"InternalIP","address":"10.244.0.9"}]}})");
  const auto documents = open();
  int changes = 0;
  ASSERT_TRUE(documents->watch(loop, [&] { ++changes; }));

  write_config(R"("pools":[{"name":"dc","cidr":"10.244.0.0/16"}])");
  settle([&] { return changes > 0; });

  ASSERT_TRUE(documents->config_refused());
  EXPECT_EQ(documents->config_refused()->code, Code::kCidrOverlap);
  EXPECT_THAT(documents->config_refused()->msg, HasSubstr("10.244.0.9"));
}

TEST_F(DocumentsTest, TheLastValidOneServesAStartToo) {
  (void)open();
  write_config("\"mtoo\":1300");

  const auto documents = open();

  EXPECT_EQ(documents->config().mtu, 1400U);
  EXPECT_TRUE(documents->config_refused());
}

TEST_F(DocumentsTest, AFirstConfigurationThatIsRefusedIsAnError) {
  write_config("\"mtoo\":1300");

  EXPECT_EQ(Documents::open(dir / "etc/agent.json").error().code,
            Code::kInvalidConfig);
}

TEST_F(DocumentsTest, AConfigMapsSwappedSymlinkIsNoticed) {
  const std::string base = dir / "map";
  ASSERT_TRUE(make_directories(base + "/v1"));
  ASSERT_TRUE(make_directories(base + "/v2"));
  const auto put = [&](const char* version, const char* mtu) {
    write_config(mtu);
    write(base + "/" + version + "/agent.json",
          read_file(dir / "etc/agent.json").value());
  };
  put("v1", "\"mtu\":1400");
  put("v2", "\"mtu\":1300");
  ASSERT_EQ(symlink("v1", (base + "/..data").c_str()), 0);
  ASSERT_EQ(symlink("..data/agent.json", (base + "/agent.json").c_str()), 0);
  auto documents = Documents::open(base + "/agent.json").value();
  int changes = 0;
  ASSERT_TRUE(documents->watch(loop, [&] { ++changes; }));
  EXPECT_EQ(documents->config().mtu, 1400U);

  ASSERT_EQ(symlink("v2", (base + "/..tmp").c_str()), 0);
  ASSERT_EQ(rename((base + "/..tmp").c_str(), (base + "/..data").c_str()), 0);
  settle([&] { return changes > 0; });

  EXPECT_EQ(documents->config().mtu, 1300U);
}

TEST_F(DocumentsTest, AChangedLabelIsNoticed) {
  const auto documents = open();
  int changes = 0;
  ASSERT_TRUE(documents->watch(loop, [&] { ++changes; }));

  write_node("cloud");
  settle([&] { return changes > 0; });

  EXPECT_EQ(documents->node().labels.at("is"), "cloud");
}

TEST_F(DocumentsTest, ANodeThatWasNeverKnownIsNodeUnknown) {
  ASSERT_TRUE(remove_file(dir / "node/node.json"));

  const auto documents = open();

  EXPECT_EQ(documents->node_error()->code, Code::kNodeUnknown);
}

TEST_F(DocumentsTest, AKnownNodeIsRememberedWithoutItsFile) {
  (void)open();
  ASSERT_TRUE(remove_file(dir / "node/node.json"));

  const auto documents = open();

  EXPECT_FALSE(documents->node_error());
  EXPECT_TRUE(documents->node_refused());
  EXPECT_EQ(documents->node().labels.at("is"), "rack");
}

constexpr char kInCluster[] =
    R"("kubernetes":{"source":"in-cluster","configMap":{"name":"linsey"}})";

TEST_F(DocumentsTest, WithAnApiServerTheNodeIsWhatItShows) {
  write_config(kInCluster);
  const auto documents = open();
  ASSERT_TRUE(documents->watch(loop, [] {}));
  EXPECT_EQ(documents->node_error()->code, Code::kNodeUnknown);

  documents->take_node(R"({"metadata":{"name":"m1","labels":{"is":"shown"}}})");

  EXPECT_FALSE(documents->node_error());
  EXPECT_FALSE(documents->node_refused());
  EXPECT_EQ(documents->node().labels.at("is"), "shown");
}

TEST_F(DocumentsTest, AShownNodeServesAStartWithoutApiServer) {
  write_config(kInCluster);
  {
    const auto documents = open();
    ASSERT_TRUE(documents->watch(loop, [] {}));
    documents->take_node(
        R"({"metadata":{"name":"m1","labels":{"is":"shown"}}})");
  }

  const auto documents = open();

  EXPECT_FALSE(documents->node_error());
  EXPECT_EQ(documents->node_refused()->code, Code::kApiUnavailable);
  EXPECT_EQ(documents->node().labels.at("is"), "shown");
}

TEST_F(DocumentsTest, AConfigMapsDocumentWinsAndServesAStartToo) {
  write_config(kInCluster);
  {
    const auto documents = open();
    int changes = 0;
    ASSERT_TRUE(documents->watch(loop, [&] { ++changes; }));
    documents->take_config(R"({"mtu":1300,"stateDir":"/elsewhere"})");
    EXPECT_EQ(changes, 1);
    EXPECT_EQ(documents->config().mtu, 1300U);
    EXPECT_EQ(documents->config().state_dir, dir / "state");
  }

  const auto documents = open();

  EXPECT_EQ(documents->config().mtu, 1300U);
  EXPECT_EQ(documents->config().kubernetes.config_map, "linsey");
}

TEST_F(DocumentsTest, ARefusedConfigMapLeavesTheLastValidOneInForce) {
  write_config(kInCluster);
  const auto documents = open();
  ASSERT_TRUE(documents->watch(loop, [] {}));
  documents->take_config(R"({"mtu":1300})");

  documents->take_config(R"({"mtoo":1300})");

  EXPECT_EQ(documents->config().mtu, 1300U);
  EXPECT_THAT(documents->config_refused()->msg,
              HasSubstr("kube-system/linsey, key agent.json"));
}

TEST_F(DocumentsTest, TheObjectOfAnotherNodeIsRefused) {
  write(dir / "node/node.json", R"({"metadata":{"name":"m2"}})");

  const auto documents = open();

  EXPECT_THAT(documents->node_error()->msg, HasSubstr("of node m2"));
}

}  // namespace
}  // namespace linsey::agent
