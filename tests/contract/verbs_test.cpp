#include <gtest/gtest.h>

#include "tests/contract/party.h"

namespace linsey::contract {
namespace {

using kube::kConfigMaps;
using kube::kIpBlocks;
using kube::kIpPools;
using kube::kLeases;

class Verbs : public Fixture, public testing::Test {
 protected:
  Verbs() {
    forget(kConfigMaps, kNamespace, own("a"));
    forget(kIpPools, "", own("a"));
    for (unsigned i = 0; i < 4; ++i) {
      forget(kIpBlocks, "", block_name(i));
    }
  }

  Json make_map() {
    return *client_.create(kConfigMaps, kNamespace, config_map(own("a")));
  }
};

std::string text(const Json& object, const char* key) {
  return object["metadata"].value(key, "");
}

TEST_F(Verbs, CreateGivesIdentityVersionAndTime) {
  const Json made = make_map();

  EXPECT_EQ(text(made, "uid").size(), 36U);
  EXPECT_FALSE(text(made, "resourceVersion").empty());
  EXPECT_EQ(text(made, "creationTimestamp").size(), 20U);
  EXPECT_EQ(made["kind"], "ConfigMap");
  EXPECT_EQ(made["apiVersion"], "v1");
}

TEST_F(Verbs, CreateOfATakenNameIsExists) {
  (void)make_map();

  const Result<Json> again =
      client_.create(kConfigMaps, kNamespace, config_map(own("a")));

  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, Code::kApiExists);
}

TEST_F(Verbs, CreateMakesANameFromItsPrefix) {
  Json map = config_map("");
  map["metadata"] = {{"generateName", own("made-")}};

  const Result<Json> made = client_.create(kConfigMaps, kNamespace, map);

  ASSERT_TRUE(made) << to_string(made.error());
  EXPECT_EQ(text(*made, "name").size(), own("made-").size() + 5);
  forget(kConfigMaps, kNamespace, text(*made, "name"));
}

TEST_F(Verbs, CreateRefusesABadNameAndAnUnknownNamespace) {
  EXPECT_EQ(client_.create(kConfigMaps, kNamespace, config_map("Not_A_Name"))
                .error()
                .code,
            Code::kApiInvalid);
  EXPECT_EQ(client_.create(kConfigMaps, "c-no-such", config_map(own("a")))
                .error()
                .code,
            Code::kApiNotFound);
}

TEST_F(Verbs, GetAndRemoveOfNothingAreNotFound) {
  EXPECT_EQ(client_.get(kConfigMaps, kNamespace, own("a")).error().code,
            Code::kApiNotFound);
  EXPECT_EQ(client_.remove(kConfigMaps, kNamespace, own("a")).error().code,
            Code::kApiNotFound);
}

TEST_F(Verbs, AStaleUpdateIsAConflict) {
  Json mine = make_map();
  Json theirs = mine;
  theirs["data"]["key"] = "theirs";
  ASSERT_TRUE(client_.update(kConfigMaps, kNamespace, theirs));

  mine["data"]["key"] = "mine";
  const Result<Json> lost = client_.update(kConfigMaps, kNamespace, mine);

  ASSERT_FALSE(lost);
  EXPECT_EQ(lost.error().code, Code::kApiConflict);
}

TEST_F(Verbs, AnUpdateThatChangesNothingKeepsTheVersion) {
  const Json made = make_map();

  const Result<Json> same = client_.update(kConfigMaps, kNamespace, made);

  ASSERT_TRUE(same);
  EXPECT_EQ(text(*same, "resourceVersion"), text(made, "resourceVersion"));
}

TEST_F(Verbs, AnUpdateOfOursMustNameItsVersion) {
  Json made = *client_.create(kIpPools, "", pool(own("a"), "198.18.0.0/15"));
  made["metadata"].erase("resourceVersion");

  EXPECT_EQ(client_.update(kIpPools, "", made).error().code, Code::kApiInvalid);
}

TEST_F(Verbs, APatchMergesAndTakesAwayByNull) {
  (void)make_map();

  const Result<Json> patched =
      client_.patch(kConfigMaps, kNamespace, own("a"),
                    {{"data", {{"key", nullptr}, {"other", "x"}}}});

  ASSERT_TRUE(patched);
  EXPECT_EQ((*patched)["data"], Json({{"other", "x"}}));
}

TEST_F(Verbs, APatchWithAStaleVersionIsAConflict) {
  const Json made = make_map();
  ASSERT_TRUE(client_.patch(kConfigMaps, kNamespace, own("a"),
                            {{"data", {{"key", "new"}}}}));

  const Result<Json> lost = client_.patch(
      kConfigMaps, kNamespace, own("a"),
      {{"metadata", {{"resourceVersion", text(made, "resourceVersion")}}},
       {"data", {{"key", "old"}}}});

  ASSERT_FALSE(lost);
  EXPECT_EQ(lost.error().code, Code::kApiConflict);
}

TEST_F(Verbs, RemoveHoldsItsPreconditions) {
  const Json made = make_map();

  EXPECT_EQ(client_
                .remove(kConfigMaps, kNamespace, own("a"),
                        {.uid = "6f8e0000-0000-4000-8000-000000000000"})
                .error()
                .code,
            Code::kApiConflict);
  EXPECT_EQ(
      client_
          .remove(kConfigMaps, kNamespace, own("a"), {.resource_version = "1"})
          .error()
          .code,
      Code::kApiConflict);
  EXPECT_TRUE(
      client_.remove(kConfigMaps, kNamespace, own("a"),
                     {.uid = text(made, "uid"),
                      .resource_version = text(made, "resourceVersion")}));
}

TEST_F(Verbs, AFinalizerHoldsAnObjectUntilItIsTakenOff) {
  Json held = pool(own("a"), "198.18.0.0/15");
  held["metadata"]["finalizers"] = {"linsey.dev/blocks"};
  ASSERT_TRUE(client_.create(kIpPools, "", held));

  ASSERT_TRUE(client_.remove(kIpPools, "", own("a")));
  const Result<Json> leaving = client_.get(kIpPools, "", own("a"));
  ASSERT_TRUE(leaving);
  EXPECT_FALSE(text(*leaving, "deletionTimestamp").empty());

  EXPECT_EQ(
      client_
          .patch(kIpPools, "", own("a"),
                 {{"metadata",
                   {{"finalizers", {"linsey.dev/blocks", "linsey.dev/more"}}}}})
          .error()
          .code,
      Code::kApiInvalid);
  ASSERT_TRUE(client_.patch(kIpPools, "", own("a"),
                            {{"metadata", {{"finalizers", nullptr}}}}));
  EXPECT_EQ(client_.get(kIpPools, "", own("a")).error().code,
            Code::kApiNotFound);
}

TEST_F(Verbs, TheGenerationCountsWhatIsWanted) {
  const Json made =
      *client_.create(kIpPools, "", pool(own("a"), "198.18.0.0/15"));
  EXPECT_EQ(made["metadata"]["generation"], 1);

  const Json labelled = *client_.patch(
      kIpPools, "", own("a"), {{"metadata", {{"labels", {{"a", "b"}}}}}});
  const Json told = *client_.patch(
      kIpPools, "", own("a"),
      {{"status", {{"blocks", {{"total", 4}, {"used", 1}}}}}}, "status");
  const Json changed =
      *client_.patch(kIpPools, "", own("a"), {{"spec", {{"disabled", true}}}});

  EXPECT_EQ(labelled["metadata"]["generation"], 1);
  EXPECT_EQ(told["metadata"]["generation"], 1);
  EXPECT_EQ(changed["metadata"]["generation"], 2);
}

TEST_F(Verbs, ABlockGoesThroughItsLifeInFourWrites) {
  ASSERT_TRUE(client_.create(kIpBlocks, "", block(1, "m1")));
  EXPECT_EQ(client_.create(kIpBlocks, "", block(1, "m2")).error().code,
            Code::kApiExists);

  for (const char* state : {"confirmed", "releasing"}) {
    const Result<Json> moved = client_.patch(kIpBlocks, "", block_name(1),
                                             {{"spec", {{"state", state}}}});
    ASSERT_TRUE(moved) << to_string(moved.error());
    EXPECT_EQ((*moved)["spec"]["state"], state);
  }
  EXPECT_TRUE(client_.remove(kIpBlocks, "", block_name(1)));
  EXPECT_TRUE(client_.create(kIpBlocks, "", block(1, "m2")));
}

TEST_F(Verbs, ALeaseIsTakenByCompareAndSwap) {
  forget(kLeases, kNamespace, own("lease"));
  Json lease = {
      {"metadata", {{"name", own("lease")}}},
      {"spec", {{"holderIdentity", "a"}, {"leaseDurationSeconds", 15}}}};
  Json mine = *client_.create(kLeases, kNamespace, lease);
  Json theirs = mine;
  theirs["spec"]["holderIdentity"] = "b";
  ASSERT_TRUE(client_.update(kLeases, kNamespace, theirs));

  mine["spec"]["holderIdentity"] = "c";

  EXPECT_EQ(client_.update(kLeases, kNamespace, mine).error().code,
            Code::kApiConflict);
  forget(kLeases, kNamespace, own("lease"));
}

TEST_F(Verbs, AnEventIsTaken) {
  const Json event = {{"metadata", {{"name", own("event")}}},
                      {"eventTime", "2026-01-31T10:00:00.000000Z"},
                      {"reportingController", "linsey.dev/agent"},
                      {"reportingInstance", "m1"},
                      {"action", "Allocate"},
                      {"reason", "BlockExhausted"},
                      {"type", "Warning"},
                      {"note", "no block is free"},
                      {"regarding",
                       {{"apiVersion", "v1"},
                        {"kind", "Pod"},
                        {"name", "p"},
                        {"namespace", kNamespace}}}};
  forget(kube::kEvents, kNamespace, own("event"));

  const Result<Json> made = client_.create(kube::kEvents, kNamespace, event);

  EXPECT_TRUE(made) << to_string(made.error()) << made.error().details;
  forget(kube::kEvents, kNamespace, own("event"));
}

TEST_F(Verbs, TheServerTellsItsVersion) {
  const Result<std::string> version = client_.version();

  ASSERT_TRUE(version);
  EXPECT_TRUE(version->starts_with("v1.")) << *version;
}

}  // namespace
}  // namespace linsey::contract
