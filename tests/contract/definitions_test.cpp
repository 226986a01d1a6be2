#include <functional>

#include <gtest/gtest.h>

#include "tests/contract/party.h"

namespace linsey::contract {
namespace {

using kube::kIpBlocks;
using kube::kIpPools;
using kube::kNodeNetworks;
using kube::kNodes;

class Definitions : public Fixture, public testing::Test {
 protected:
  Definitions() { clear(); }
  ~Definitions() override { clear(); }

  void clear() {
    forget(kIpPools, "", "d-pool");
    forget(kIpBlocks, "", block_name(9));
    forget(kIpBlocks, "", "6-20010db8000000000000000000000000-122");
    forget(kNodeNetworks, "", "d-node");
    forget(kNodes, "", "d-node");
  }
};

/// A good object is spoilt, and the refusal says what is wrong.
struct Bad {
  const char* what;
  std::function<void(Json&)> spoil;
  const char* words;
};

void expect_refused(kube::Client& client, const kube::Resource& type,
                    const Json& good, const std::vector<Bad>& rows) {
  for (const Bad& row : rows) {
    Json object = good;
    row.spoil(object);
    const Result<Json> made = client.create(type, "", object);
    EXPECT_FALSE(made) << row.what;
    if (made) {
      (void)client.remove(type, "", (*made)["metadata"]["name"]);
      continue;
    }
    EXPECT_EQ(made.error().code, Code::kApiInvalid) << row.what;
    EXPECT_NE(made.error().msg.find(row.words), std::string::npos)
        << row.what << ": " << made.error().msg;
  }
}

TEST_F(Definitions, APoolIsCheckedWhenItIsMade) {
  const auto spec = [](const char* key, const Json& value) {
    return [=](Json& object) { object["spec"][key] = value; };
  };
  expect_refused(
      client_, kIpPools, pool("d-pool", "198.18.0.0/15"),
      {{"no spec", [](Json& o) { o.erase("spec"); }, "spec: Required value"},
       {"no cidr", [](Json& o) { o["spec"].erase("cidr"); },
        "spec.cidr: Required value"},
       {"cidr without length", spec("cidr", "198.18.0.0"), "should match"},
       {"cidr with 256", spec("cidr", "198.256.0.0/16"), "should match"},
       {"cidr /33", spec("cidr", "198.18.0.0/33"), "should match"},
       {"cidr v6 /129", spec("cidr", "fd00::/129"), "should match"},
       {"cidr a number", spec("cidr", 7), "must be of type string"},
       {"block /19", spec("blockSize", 19), "blockSize"},
       {"block /33", spec("blockSize", 33),
        "blockSize must be within 20 and 32 for IPv4"},
       {"v6 block /26",
        [](Json& o) {
          o["spec"] = {{"cidr", "fd00::/64"}, {"blockSize", 26}};
        },
        "within 112 and 128 for IPv6"},
       {"block above pool",
        [](Json& o) {
          o["spec"] = {{"cidr", "198.18.0.0/24"}, {"blockSize", 23}};
        },
        "must not be shorter than the prefix"},
       {"small pool", spec("cidr", "198.18.0.0/27"), "set blockSize"},
       {"disabled a text", spec("disabled", "yes"), "must be of type boolean"},
       {"name", [](Json& o) { o["metadata"]["name"] = "D_Pool"; },
        "metadata.name"}});
}

TEST_F(Definitions, APoolKeepsItsRangeAndBlockSize) {
  Json sized = pool("d-pool", "198.18.0.0/15");
  sized["spec"]["blockSize"] = 26;
  ASSERT_TRUE(client_.create(kIpPools, "", sized));
  const auto change = [&](const Json& spec) {
    const Result<Json> done =
        client_.patch(kIpPools, "", "d-pool", {{"spec", spec}});
    return done ? std::string("taken") : done.error().msg;
  };

  EXPECT_NE(change({{"cidr", "198.18.0.0/16"}}).find("cidr is immutable"),
            std::string::npos);
  EXPECT_NE(change({{"blockSize", 27}}).find("blockSize is immutable"),
            std::string::npos);
  EXPECT_NE(change({{"blockSize", nullptr}}).find("blockSize is immutable"),
            std::string::npos);
  EXPECT_EQ(change({{"nodeSelector", "kind=metal"}}), "taken");
}

TEST_F(Definitions, UnknownFieldsAreDroppedAndDefaultsFilledIn) {
  Json object = pool("d-pool", "198.18.0.0/15");
  object["spec"]["colour"] = "blue";
  object["colour"] = "red";

  const Result<Json> made = client_.create(kIpPools, "", object);

  ASSERT_TRUE(made) << to_string(made.error());
  EXPECT_EQ((*made)["spec"], Json({{"cidr", "198.18.0.0/15"},
                                   {"disabled", false},
                                   {"nodeSelector", ""}}));
  EXPECT_FALSE(made->contains("colour"));
}

TEST_F(Definitions, ABlockIsCheckedWhenItIsMade) {
  const auto spec = [](const char* key, const Json& value) {
    return [=](Json& object) { object["spec"][key] = value; };
  };
  const auto no_label = [](const char* key) {
    return [=](Json& object) { object["metadata"]["labels"].erase(key); };
  };
  expect_refused(
      client_, kIpBlocks, block(9, "d-node"),
      {{"no node", [](Json& o) { o["spec"].erase("node"); },
        "spec.node: Required value"},
       {"no pool", [](Json& o) { o["spec"].erase("pool"); },
        "spec.pool: Required value"},
       {"no state", [](Json& o) { o["spec"].erase("state"); },
        "spec.state: Required value"},
       {"state", spec("state", "mine"), "Unsupported value"},
       {"cidr", spec("cidr", "198.18.2.64"), "should match"},
       {"another cidr", spec("cidr", "198.18.2.128/26"),
        "the name must be made from the cidr"},
       {"another length", spec("cidr", "198.18.2.64/27"),
        "the name must be made from the cidr"},
       {"huge",
        [](Json& o) {
          o["metadata"]["name"] = "4-c6120000-16";
          o["spec"]["cidr"] = "198.18.0.0/16";
        },
        "at least a /20"},
       {"v6 name", [](Json& o) { o["spec"]["cidr"] = "2001:db8::/122"; },
        "the name must be made from the cidr"},
       {"no node label", no_label("linsey.dev/node"), "label linsey.dev/node"},
       {"no pool label", no_label("linsey.dev/pool"), "label linsey.dev/pool"},
       {"strange node label",
        [](Json& o) { o["metadata"]["labels"]["linsey.dev/node"] = "x"; },
        "label linsey.dev/node must equal spec.node"},
       {"long node", [](Json& o) { o["spec"]["node"] = std::string(64, 'n'); },
        "spec.node"}});
}

TEST_F(Definitions, ABlockOfEachFamilyIsTaken) {
  EXPECT_TRUE(client_.create(kIpBlocks, "", block(9, "d-node")));
  Json six = block(9, "d-node");
  six["metadata"]["name"] = "6-20010db8000000000000000000000000-122";
  six["spec"]["cidr"] = "2001:db8::/122";

  const Result<Json> made = client_.create(kIpBlocks, "", six);

  EXPECT_TRUE(made) << to_string(made.error());
}

TEST_F(Definitions, ABlockNeverChangesItsOwner) {
  ASSERT_TRUE(client_.create(kIpBlocks, "", block(9, "d-node")));
  const auto change = [&](const Json& patch) {
    const Result<Json> done =
        client_.patch(kIpBlocks, "", block_name(9), patch);
    return done ? std::string("taken") : done.error().msg;
  };

  EXPECT_NE(
      change({{"spec", {{"node", "d-other"}}},
              {"metadata", {{"labels", {{"linsey.dev/node", "d-other"}}}}}})
          .find("node is immutable"),
      std::string::npos);
  EXPECT_NE(change({{"spec", {{"pool", "other"}}}}).find("pool is immutable"),
            std::string::npos);
  EXPECT_NE(
      change({{"spec", {{"cidr", "198.18.2.0/26"}}}}).find("cidr is immutable"),
      std::string::npos);
  EXPECT_EQ(change({{"spec", {{"nodeUID", "u-2"}}}}), "taken");
}

TEST_F(Definitions, ABlockHasNoStatusOfItsOwn) {
  ASSERT_TRUE(client_.create(kIpBlocks, "", block(9, "d-node")));

  EXPECT_EQ(client_
                .patch(kIpBlocks, "", block_name(9),
                       {{"spec", {{"state", "confirmed"}}}}, "status")
                .error()
                .code,
            Code::kApiNotFound);
}

TEST_F(Definitions, StatusAndTheRestAreWrittenApart) {
  Json object = pool("d-pool", "198.18.0.0/15");
  object["status"] = {{"blocks", {{"total", 1}, {"used", 1}}}};
  const Result<Json> made = client_.create(kIpPools, "", object);
  ASSERT_TRUE(made);
  EXPECT_FALSE(made->contains("status"));

  const Json told = *client_.patch(kIpPools, "", "d-pool",
                                   {{"status", {{"blocks", {{"total", 8}}}}},
                                    {"spec", {{"disabled", true}}}},
                                   "status");
  EXPECT_EQ(told["status"]["blocks"]["total"], 8);
  EXPECT_EQ(told["spec"]["disabled"], false);

  const Json changed =
      *client_.patch(kIpPools, "", "d-pool",
                     {{"status", nullptr}, {"spec", {{"disabled", true}}}});
  EXPECT_EQ(changed["status"]["blocks"]["total"], 8);
  EXPECT_EQ(changed["spec"]["disabled"], true);
}

TEST_F(Definitions, AStatusIsCheckedToo) {
  ASSERT_TRUE(client_.create(kNodeNetworks, "",
                             {{"apiVersion", "linsey.dev/v1"},
                              {"kind", "NodeNetwork"},
                              {"metadata", {{"name", "d-node"}}}}));
  const auto tell = [&](const Json& status) {
    const Result<Json> done = client_.patch(kNodeNetworks, "", "d-node",
                                            {{"status", status}}, "status");
    return done ? std::string("taken") : done.error().msg;
  };
  const Json ready = {{"type", "Ready"},
                      {"status", "True"},
                      {"reason", "Ok"},
                      {"message", ""},
                      {"lastTransitionTime", "2026-01-31T10:00:00Z"}};

  EXPECT_EQ(tell({{"mode", "bgp"},
                  {"addresses", {{"free", 60}, {"held", 4}, {"cooling", 0}}},
                  {"blocks", {"198.18.0.0/26"}},
                  {"conditions", Json::array({ready})}}),
            "taken");
  EXPECT_NE(tell({{"addresses", {{"free", -1}}}}).find("status.addresses.free"),
            std::string::npos);
  EXPECT_NE(tell({{"mode", 5}}).find("status.mode"), std::string::npos);
  Json strange = ready;
  strange["status"] = "Maybe";
  EXPECT_NE(
      tell({{"conditions", Json::array({strange})}}).find("Unsupported value"),
      std::string::npos);
  Json timeless = ready;
  timeless["lastTransitionTime"] = "";
  EXPECT_NE(tell({{"conditions", Json::array({timeless})}}).find("date-time"),
            std::string::npos);
  EXPECT_NE(tell({{"conditions", Json::array({ready, ready})}})
                .find("Duplicate value"),
            std::string::npos);
}

TEST_F(Definitions, ANodesStatusIsWrittenApart) {
  ASSERT_TRUE(client_.create(kNodes, "", node("d-node")));
  const Json condition = {{"type", "LinseyReady"},
                          {"status", "True"},
                          {"reason", "Ok"},
                          {"message", ""}};

  const Result<Json> told =
      client_.patch(kNodes, "", "d-node",
                    {{"status", {{"conditions", Json::array({condition})}}},
                     {"spec", {{"unschedulable", true}}}},
                    "status");

  ASSERT_TRUE(told) << to_string(told.error());
  EXPECT_EQ((*told)["status"]["conditions"][0]["type"], "LinseyReady");
  EXPECT_FALSE((*told)["spec"].value("unschedulable", false));
}

}  // namespace
}  // namespace linsey::contract
