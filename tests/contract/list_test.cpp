#include <algorithm>

#include <gtest/gtest.h>

#include "tests/contract/party.h"

namespace linsey::contract {
namespace {

using kube::kConfigMaps;
using kube::kNodes;
using kube::kPods;
using Names = std::vector<std::string>;

Names names_of(const std::vector<Json>& items) {
  Names out;
  for (const Json& item : items) {
    out.push_back(item["metadata"]["name"]);
  }
  std::ranges::sort(out);
  return out;
}

class Lists : public Fixture, public testing::Test {
 protected:
  Lists() {
    clear();
    (void)client_.create(kConfigMaps, kNamespace,
                         config_map("l-1", {{"set", "l"}, {"tier", "a"}}));
    (void)client_.create(kConfigMaps, kNamespace,
                         config_map("l-2", {{"set", "l"}, {"tier", "b"}}));
    (void)client_.create(kConfigMaps, kNamespace,
                         config_map("l-3", {{"set", "l"}}));
  }
  ~Lists() override { clear(); }

  void clear() {
    for (const char* name : {"l-1", "l-2", "l-3", "l-4"}) {
      forget(kConfigMaps, kNamespace, name);
    }
  }

  Names with_labels(const std::string& selector) {
    const Result<kube::List> found = client_.list(
        kConfigMaps, kNamespace, {.label_selector = "set=l," + selector});
    return found ? names_of(found->items) : Names{to_string(found.error())};
  }

  Json page(const std::string& query) {
    return ask(*transport_, {.path = kConfigMaps.path(kNamespace) + query});
  }
};

TEST_F(Lists, LabelSelectorsOfEveryKind) {
  EXPECT_EQ(with_labels("tier=a"), (Names{"l-1"}));
  EXPECT_EQ(with_labels("tier==b"), (Names{"l-2"}));
  EXPECT_EQ(with_labels("tier!=a"), (Names{"l-2", "l-3"}));
  EXPECT_EQ(with_labels("tier in (a,b)"), (Names{"l-1", "l-2"}));
  EXPECT_EQ(with_labels("tier notin (a)"), (Names{"l-2", "l-3"}));
  EXPECT_EQ(with_labels("tier"), (Names{"l-1", "l-2"}));
  EXPECT_EQ(with_labels("!tier"), (Names{"l-3"}));
}

TEST_F(Lists, ASelectorThatCannotBeReadIsInvalid) {
  EXPECT_EQ(client_.list(kConfigMaps, kNamespace, {.label_selector = "a in ("})
                .error()
                .code,
            Code::kApiInvalid);
  EXPECT_EQ(
      client_
          .list(kConfigMaps, kNamespace, {.field_selector = "data.key=value"})
          .error()
          .code,
      Code::kApiInvalid);
}

TEST_F(Lists, OneObjectByItsName) {
  const Result<kube::List> found = client_.list(
      kConfigMaps, kNamespace, {.field_selector = "metadata.name=l-2"});

  ASSERT_TRUE(found);
  EXPECT_EQ(names_of(found->items), (Names{"l-2"}));
}

TEST_F(Lists, PodsOfANode) {
  for (const char* name : {"c-n1", "c-n2"}) {
    (void)client_.create(kNodes, "", node(name));
    const auto made =
        client_.create(kPods, kNamespace, pod(std::string(name) + "-p", name));
    EXPECT_TRUE(made) << to_string(made.error());
  }

  const Result<kube::List> found =
      client_.list(kPods, "", {.field_selector = "spec.nodeName=c-n1"});

  ASSERT_TRUE(found);
  EXPECT_EQ(names_of(found->items), (Names{"c-n1-p"}));
  for (const char* name : {"c-n1", "c-n2"}) {
    forget(kPods, kNamespace, std::string(name) + "-p");
    forget(kNodes, "", name);
  }
}

TEST_F(Lists, PagesAreOneMomentOfTime) {
  const Json first = page("?limit=2&labelSelector=set%3Dl");
  ASSERT_EQ(first["items"].size(), 2U);
  const std::string next = first["metadata"]["continue"];
  ASSERT_FALSE(next.empty());
  (void)client_.create(kConfigMaps, kNamespace,
                       config_map("l-4", {{"set", "l"}}));

  const Json second = page("?limit=2&labelSelector=set%3Dl&continue=" +
                           kube::percent_encode(next));

  EXPECT_EQ(second["items"].size(), 1U);
  EXPECT_EQ(second["metadata"].value("continue", ""), "");
  EXPECT_EQ(second["metadata"]["resourceVersion"],
            first["metadata"]["resourceVersion"]);
}

TEST_F(Lists, AListHasTheVersionThatAWatchGoesOnFrom) {
  const Result<kube::List> found = client_.list(kConfigMaps, kNamespace);

  ASSERT_TRUE(found);
  EXPECT_GT(std::stoull(found->resource_version), 0U);
}

}  // namespace
}  // namespace linsey::contract
