#include "lab/world.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "conf/agent_config.h"
#include "lab/shipped.h"
#include "netlink/socket.h"
#include "tests/support/temp_dir.h"

namespace linsey::lab {
namespace {

/// A world whose agents do nothing; the cloud is called by the test.
class WorldTest : public testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs root for network namespaces";
    WorldOptions options;
    options.topology_text = shipped_topology();
    options.topology = *parse_topology(shipped_topology());
    options.directory = dir_.path();
    options.agent_program = "/bin/true";
    options.plugin_program = "/bin/true";
    options.conflist = shipped_conflist();
    auto built = World::build(std::move(options), desk_);
    ASSERT_TRUE(built.has_value())
        << built.error().msg << built.error().details;
    world_ = std::move(built).value();
  }
  void TearDown() override {
    if (world_) world_->shut_down();
  }

  /// Calls the cloud from another thread while the desk is served.
  Json call(const std::string& action,
            std::map<std::string, std::string> params) {
    std::atomic<bool> over = false;
    sim::Reply reply;
    std::thread caller([&] {
      params["RegionId"] = "cn-lab";
      reply = world_->cloud().call({.action = action, .params = params});
      over = true;
    });
    while (!over) {
      desk_.turn(std::chrono::milliseconds(5));
    }
    caller.join();
    EXPECT_EQ(reply.code, "") << reply.body;
    return *parse_json(reply.body);
  }

  std::string create_eni() {
    return call("CreateNetworkInterface",
                {{"VSwitchId", "vsw-lab0poda"},
                 {"SecurityGroupId", "sg-lab0pods"}})["NetworkInterfaceId"];
  }

  std::optional<netlink::Link> link_of_c1(const std::string& name) {
    auto socket = netlink::Socket::open_in((*world_->node("c1"))->ns()).value();
    return *socket.find_link(name);
  }

  tests::TempDir dir_;
  Desk desk_;
  std::unique_ptr<World> world_;
};

TEST_F(WorldTest, AnEniThatIsAttachedAppearsAsALinkAndGoesAgain) {
  ASSERT_TRUE(world_->join("c1").has_value());
  const std::string eni = create_eni();

  call("AttachNetworkInterface",
       {{"NetworkInterfaceId", eni}, {"InstanceId", instance_id("c1")}});

  const auto link = link_of_c1("eth1");
  ASSERT_TRUE(link.has_value());
  const Json all =
      call("DescribeNetworkInterfaces", {{"NetworkInterfaceId.1", eni}});
  EXPECT_EQ(all["NetworkInterfaceSets"]["NetworkInterfaceSet"][0]["MacAddress"],
            link->mac.to_string());
  call("DetachNetworkInterface",
       {{"NetworkInterfaceId", eni}, {"InstanceId", instance_id("c1")}});
  EXPECT_FALSE(link_of_c1("eth1").has_value());
}

TEST_F(WorldTest, AReleasedNameIsTakenByTheNextEni) {
  ASSERT_TRUE(world_->join("c1").has_value());
  const std::string first = create_eni();
  const std::string second = create_eni();
  for (const std::string& eni : {first, second}) {
    call("AttachNetworkInterface",
         {{"NetworkInterfaceId", eni}, {"InstanceId", instance_id("c1")}});
  }
  call("DetachNetworkInterface",
       {{"NetworkInterfaceId", first}, {"InstanceId", instance_id("c1")}});

  EXPECT_FALSE(link_of_c1("eth1").has_value());
  EXPECT_TRUE(link_of_c1("eth2").has_value());
}

TEST_F(WorldTest, TheAgentsConfigurationIsAccepted) {
  const Topology& topology = world_->topology();
  for (const auto& [name, node] : topology.nodes) {
    const Result<std::string> text =
        agent_json(topology, node, NodePaths{"/n/" + name});
    ASSERT_TRUE(text.has_value());

    const auto config = conf::parse_agent_config(*text);

    EXPECT_TRUE(config.has_value())
        << name << ": " << (config ? "" : config.error().msg);
  }
}

TEST_F(WorldTest, ANodeWithPodsDoesNotLeave) {
  ASSERT_TRUE(world_->join("m1").has_value());
  const PodId pod{"m1", "default", "a"};
  ASSERT_TRUE(world_->make_pod(pod, "{}").has_value());

  EXPECT_FALSE(world_->leave("m1").has_value());
  world_->forget_pod(pod);
  EXPECT_TRUE(world_->leave("m1").has_value());
}

TEST_F(WorldTest, TheInventoryOnDiskNamesWhatExists) {
  ASSERT_TRUE(world_->join("m1").has_value());

  const auto kept = parse_inventory(*read_file(dir_ / "inventory.json"));

  ASSERT_TRUE(kept.has_value());
  EXPECT_TRUE(kept->namespaces.contains("vpc"));
  EXPECT_TRUE(kept->namespaces.contains("data-centre"));
  EXPECT_TRUE(kept->namespaces.contains("node m1"));
  EXPECT_EQ(kept->namespaces, world_->inventory().namespaces);
}

TEST_F(WorldTest, AProofFindsANamespaceThatIsStillHeld) {
  Inventory inventory = world_->inventory();
  inventory.name = "some-other-name";
  inventory.directory = dir_ / "none";
  const netlink::NetNs held =
      *netlink::NetNs::open((world_->vpc().router().path()));
  // Another process must hold it: the proof does not look at itself.
  Command sleeper{.argv = {"sleep", "60"}};
  sleeper.netns_fd = held.fd();
  Child child = *Child::start(sleeper);
  Proof proof = prove_gone(inventory);
  const auto sees_the_router = [&] {
    return std::ranges::any_of(proof.left, [](const std::string& line) {
      return line.find("vpc") != std::string::npos;
    });
  };
  for (int i = 0; i < 100 && !sees_the_router(); ++i) {
    proof = prove_gone(inventory);  // the child may not have entered yet
  }
  child.kill_now();

  // The reflector of this world is found as well; it runs.
  EXPECT_TRUE(sees_the_router());
}

}  // namespace
}  // namespace linsey::lab
