#include "agent/decisions.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "tests/agent/fake_node.h"

namespace linsey::agent {
namespace {

using namespace std::chrono_literals;

struct DecisionsTest : ::testing::Test, FakeNode {
  DecisionsTest() {
    on_given = [this](const ipam::Held& held) {
      decisions.given(held, "bgp", "rule dc selects it");
    };
    on_refused = [this](const ipam::Attachment& attachment, const Error& why) {
      decisions.refused(attachment, why);
    };
  }

  Json explain(const std::string& name) const {
    const Result<std::string> text =
        decisions.explain(R"({"namespace": "ns", "name": ")" + name + "\"}");
    return text ? *parse_json(*text) : Json(text.error().msg);
  }

  std::optional<std::set<std::string>> pods;
  Decisions decisions{
      {.clock = clock,
       .ledger = ledger,
       .status = [this] { return service.status(); },
       .waiting = [this] { return service.waiting_attachments(); },
       .pods = [this] { return pods; }}};
};

TEST_F(DecisionsTest, TellOnWhatGroundsAnAddressIsHeld) {
  supply({"10.0.0.1"});
  (void)add("c1");

  const Json answer = explain("pod-c1");

  EXPECT_EQ(answer["verdict"], "held");
  const Json& held = answer["held"][0];
  EXPECT_EQ(held["allocation"]["addresses"][0], "10.0.0.1");
  EXPECT_EQ(held["allocation"]["source"], "test");
  EXPECT_EQ(held["decided"]["why"], "rule dc selects it");
  EXPECT_EQ(held["decided"]["at"], "2026-01-02T00:00:00Z");
}

TEST_F(DecisionsTest, ARepeatedAddDoesNotMakeTheDecisionYounger) {
  supply({"10.0.0.1"});
  (void)add("c1");
  clock.advance(1min);
  (void)add("c1");

  EXPECT_EQ(explain("pod-c1")["held"][0]["decided"]["at"],
            "2026-01-02T00:00:00Z");
}

TEST_F(DecisionsTest, AfterARestartTheLedgerStillTells) {
  supply({"10.0.0.1"});
  on_given = [](const ipam::Held&) {};
  (void)add("c1");

  const Json answer = explain("pod-c1");

  EXPECT_EQ(answer["verdict"], "held");
  EXPECT_FALSE(answer["held"][0].contains("decided"));
  EXPECT_EQ(answer["since"], "2026-01-02T00:00:00Z");
}

TEST_F(DecisionsTest, AnAddThatWaitsIsTold) {
  const auto heard = add("c1");

  const Json answer = explain("pod-c1");

  EXPECT_FALSE(heard->answer.has_value());
  EXPECT_EQ(answer["verdict"], "waiting");
  EXPECT_EQ(answer["waiting"][0], "c1");
}

TEST_F(DecisionsTest, RefusalsAreCountedUntilTheReasonChanges) {
  service.set_standing({.mode = "",
                        .why = "",
                        .quarantine = make_error(Code::kModeUnknown, "")});
  (void)add("c1");
  clock.advance(1min);
  (void)add("c2");
  EXPECT_EQ(explain("pod-c1")["refused"]["count"], 1);
  (void)add("c1");

  Json answer = explain("pod-c1");
  EXPECT_EQ(answer["refused"]["count"], 2);
  EXPECT_EQ(answer["refused"]["first"], "2026-01-02T00:00:00Z");
  EXPECT_EQ(answer["refused"]["last"], "2026-01-02T00:01:00Z");

  service.set_standing({.mode = "",
                        .why = "",
                        .quarantine = make_error(Code::kModeConflict, "")});
  (void)add("c1");
  answer = explain("pod-c1");
  EXPECT_EQ(answer["refused"]["count"], 1);
  EXPECT_EQ(answer["refused"]["code"], "ModeConflict");
}

TEST_F(DecisionsTest, AnAddressThatWasReleasedIsRemembered) {
  supply({"10.0.0.1"});
  (void)add("c1");
  (void)del("c1");

  const Json answer = explain("pod-c1");

  EXPECT_EQ(answer["verdict"], "released");
  EXPECT_EQ(answer["released"][0]["addresses"], "10.0.0.1");
}

TEST_F(DecisionsTest, OfAPodWithoutAddTheReasonOfTheNodeIsTold) {
  supplier.current = {
      .ready = false, .why = make_error(Code::kNoBlock, "none"), .zone = {}};
  pods = std::set<std::string>{"ns/other"};

  const Json answer = explain("pod-c1");

  EXPECT_EQ(answer["verdict"], "none");
  EXPECT_EQ(answer["now"]["why"]["code"], "NoBlock");
  EXPECT_EQ(answer["knownToAPI"], false);
}

TEST_F(DecisionsTest, AreBounded) {
  service.set_standing({.mode = "",
                        .why = "",
                        .quarantine = make_error(Code::kModeUnknown, "")});
  for (std::size_t i = 0; i <= Decisions::kPods; ++i) {
    (void)add("c" + std::to_string(i));
  }

  EXPECT_EQ(explain("pod-c0")["verdict"], "none");
  EXPECT_EQ(explain("pod-c1")["verdict"], "refused");
}

TEST_F(DecisionsTest, AskedWithoutAPodTheyRefuse) {
  EXPECT_EQ(decisions.explain("{}").error().code, Code::kDecode);
  EXPECT_EQ(decisions.explain("[").error().code, Code::kDecode);
}

/// Each code there is, by each way in which a reason reaches an ADD.
struct EveryCode : DecisionsTest, ::testing::WithParamInterface<CodeInfo> {
  void expect_told() const {
    const Json answer = explain("pod-c1");
    EXPECT_EQ(answer["verdict"], "refused");
    EXPECT_EQ(answer["refused"]["code"], GetParam().name);
    EXPECT_EQ(answer["refused"]["msg"], "because");
    EXPECT_EQ(answer["refused"]["remedy"], GetParam().remedy);
  }
  Error why() const { return make_error(GetParam().code, "because"); }
};

TEST_P(EveryCode, OfAQuarantineIsTold) {
  service.set_standing({.mode = "", .why = "", .quarantine = why()});
  (void)add("c1");
  expect_told();
}

TEST_P(EveryCode, ThatASupplierRefusesWithIsTold) {
  supplier.refuse_with = why();
  (void)add("c1");
  expect_told();
}

TEST_P(EveryCode, ThatKeepsAnAddressFromBeingCompletedIsTold) {
  supply({"10.0.0.1"});
  supplier.broken = why();
  (void)add("c1");
  expect_told();
}

INSTANTIATE_TEST_SUITE_P(AllCodes, EveryCode,
                         ::testing::ValuesIn(all_codes().begin(),
                                             all_codes().end()),
                         [](const auto& one) {
                           return std::string(one.param.name);
                         });

}  // namespace
}  // namespace linsey::agent
