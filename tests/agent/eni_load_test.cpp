// What pods cost the cloud: cold start, bursts, churn, and a line that is cut,
// with calls that take their time by a clock moved by hand.
#include <algorithm>
#include <cstdio>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/agent/eni_node.h"

namespace linsey::agent {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::HasSubstr;
using tests::must;

double in_seconds(Duration time) {
  return std::chrono::duration<double>(time).count();
}

class EniLoad : public tests::NetnsTest {
 protected:
  /// A node of 8 interfaces with 30 addresses each, in a cloud of that pace.
  void on_a_big_node(
      Duration latency,
      const std::function<void(EniRegion&, conf::AgentConfig)>& fn) {
    in_host([&] {
      EniRegion region(*host, *pod);
      must(region.cloud.add(sim::InstanceSpec{.id = "i-big",
                                              .type = "ecs.g7.4xlarge",
                                              .v_switch = "vsw-host-a",
                                              .address = {},
                                              .security_groups = {"sg-1"},
                                              .host_name = "node-big",
                                              .role = "linsey",
                                              .role_allows = {}}));
      region.tune([](sim::Knobs& knobs) {
        knobs.attach_time = seconds(2);
        knobs.eni_lag = seconds(1);
        knobs.address_lag = milliseconds(500);
      });
      region.api_latency = latency;
      conf::AgentConfig config = EniAgent::default_config(region);
      config.evidence.metadata_url = region.metadata_url_of("i-big");
      fn(region, config);
    });
  }
};

/// A runtime that repeats a refused ADD after a second, and what it was told.
class Runtime {
 public:
  Runtime(EniRegion& region, EniAgent& agent)
      : region_(region), agent_(agent), began_(region.clock.now()) {}

  void want(unsigned pods) {
    for (unsigned i = 0; i < pods; ++i) {
      begin("burst" + std::to_string(i));
    }
  }
  /// Lets time pass until all of them run.
  void until_all_run() {
    agent_.pass_until([&] {
      repeat_refused();
      return waiting_.empty();
    });
  }
  Duration first() const { return first_; }
  Duration last() const { return last_; }
  const std::map<std::string, unsigned>& refusals() const { return refusals_; }

 private:
  struct Waiting {
    std::shared_ptr<Heard> heard;
    std::optional<Instant> again;
  };
  void begin(const std::string& name) {
    waiting_[name] = {agent_.begin_add(name), {}};
  }
  void repeat_refused() {
    const Instant now = region_.clock.now();
    std::vector<std::string> due;
    for (auto it = waiting_.begin(); it != waiting_.end();) {
      Waiting& one = it->second;
      if (one.again && *one.again <= now) due.push_back(it->first);
      if (one.again || !one.heard->answer) {
        ++it;
      } else if (one.heard->answer->has_value()) {
        last_ = now - began_;
        if (first_ == Duration(0)) first_ = last_;
        it = waiting_.erase(it);
      } else {
        ++refusals_[std::string(name(one.heard->answer->error().code))];
        one.again = now + seconds(1);
        ++it;
      }
    }
    for (const std::string& name : due) {
      begin(name);
    }
  }

  EniRegion& region_;
  EniAgent& agent_;
  Instant began_;
  Duration first_{0};
  Duration last_{0};
  std::map<std::string, Waiting> waiting_;
  std::map<std::string, unsigned> refusals_;
};

class EniLoadAtLatency : public EniLoad,
                         public testing::WithParamInterface<int> {};

TEST_P(EniLoadAtLatency, ABurstOf100OnAnEmptyNodeCostsFewCalls) {
  const milliseconds latency(GetParam());
  on_a_big_node(latency, [&](EniRegion& region,
                             const conf::AgentConfig& config) {
    EniAgent agent(region, config);
    Runtime runtime(region, agent);
    agent.start();
    runtime.want(100);
    runtime.until_all_run();

    std::string told;
    for (const auto& [code, count] : runtime.refusals()) {
      told += fmt::format(", {} refused by {}", count, code);
      EXPECT_TRUE(code == "ENINotReady") << code;
    }
    const double calls = static_cast<double>(region.calls());
    std::printf(
        "%.1f s a call: %.0f calls, %.3f for each of 100 pods; first "
        "after %.1f s, last after %.1f s%s\n",
        in_seconds(latency), calls, calls / 100, in_seconds(runtime.first()),
        in_seconds(runtime.last()), told.c_str());
    EXPECT_LE(calls / 100, 0.15);
    EXPECT_TRUE(agent.ledger.check_invariants());
  });
}

TEST_P(EniLoadAtLatency, AChurnOf1000PodsCostsHardlyAny) {
  on_a_big_node(milliseconds(GetParam()), [&](EniRegion& region,
                                              const conf::AgentConfig& config) {
    EniAgent agent(region, config);
    agent.start();
    constexpr int kAlive = 40;
    for (int i = 0; i < kAlive; ++i) {
      ASSERT_TRUE(agent.lease(std::to_string(i)));
    }
    agent.pass(minutes(2));
    region.cloud.forget_calls();

    unsigned at_once = 0;
    for (int i = kAlive; i < kAlive + 1000; ++i) {
      agent.del(std::to_string(i - kAlive));
      agent.pass(seconds(3));
      const auto heard = agent.add(std::to_string(i));
      if (heard->answer) ++at_once;
      agent.pass_until([&] { return heard->answer.has_value(); });
      ASSERT_TRUE(heard->answer->has_value()) << heard->answer->error().msg;
    }

    const double calls = static_cast<double>(region.calls());
    std::printf(
        "%.1f s a call: %.0f calls, %.3f for each of 1000 pods; %u "
        "answered at once\n",
        GetParam() / 1000.0, calls, calls / 1000, at_once);
    EXPECT_LE(calls / 1000, 0.02);
  });
}

INSTANTIATE_TEST_SUITE_P(Latencies, EniLoadAtLatency,
                         testing::Values(0, 300, 3000));

TEST_F(EniLoad, AWarmAddMakesNoCall) {
  on_a_big_node(seconds(0),
                [&](EniRegion& region, const conf::AgentConfig& config) {
                  EniAgent agent(region, config);
                  agent.start();
                  agent.pass_until([&] { return agent.counts().free >= 4; });
                  region.cloud.forget_calls();

                  const auto heard = agent.begin_add("c1");
                  agent.service.commit();

                  ASSERT_TRUE(heard->answer && heard->answer->has_value());
                  EXPECT_EQ(region.calls(), 0U);
                });
}

TEST_F(EniLoad, ACutLineIsServedFromTheWarmPoolAndThenNamedWithNumbers) {
  on_a_big_node(milliseconds(300), [&](EniRegion& region,
                                       const conf::AgentConfig& config) {
    EniAgent agent(region, config);
    agent.start();
    agent.pass(minutes(2));
    const unsigned warm = agent.counts().free;
    ASSERT_GE(warm, config.eni.pool.min_idle);
    const auto cut = [&](unsigned requests) {
      region.tune([&](sim::Knobs& knobs) {
        for (const char* action :
             {"CreateNetworkInterface", "AttachNetworkInterface",
              "AssignPrivateIpAddresses", "UnassignPrivateIpAddresses",
              "DetachNetworkInterface", "DeleteNetworkInterface",
              "DescribeNetworkInterfaces", "DescribeVSwitches",
              "DescribeInstanceTypes"}) {
          knobs.actions[action].lose_requests = requests;
        }
      });
    };
    cut(1000000);

    for (unsigned i = 0; i < warm; ++i) {
      ASSERT_TRUE(agent.lease("warm" + std::to_string(i))) << i;
    }
    const auto refused = agent.lease("one-more");
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::kCloudUnavailable);
    EXPECT_THAT(refused.error().msg,
                HasSubstr(fmt::format("({} held, 0 cooling", warm)));
    EXPECT_EQ(agent.supplier.health().why.code, Code::kCloudUnavailable);
    for (int minute = 0; minute < 10; ++minute) {
      agent.pass(minutes(1));
    }
    EXPECT_EQ(agent.counts().held, warm);

    cut(0);
    region.cloud.forget_calls();
    agent.pass_until(
        [&] { return agent.counts().free >= config.eni.pool.min_idle; });
    const double calls = static_cast<double>(region.calls());
    std::printf(
        "%u pods from the warm pool, then: %s; after the return %.0f "
        "calls\n",
        warm, to_string(refused.error()).c_str(), calls);
    EXPECT_LE(calls, 20);
    EXPECT_TRUE(agent.lease("one-more"));
    EXPECT_TRUE(agent.ledger.check_invariants());
  });
}

}  // namespace
}  // namespace linsey::agent
