// Every action of the cloud times every way it can fail, with the agent killed
// or not, by seed: when the fault has ended all converges, no address is given
// twice or lost in the cloud, and nobody else's interface is touched.
// A third of the cells, or with LINSEY_SHOW_FULL=1 all with eight seeds each;
// LINSEY_SEED=N runs one.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/agent/eni_node.h"

namespace linsey::agent {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using tests::must;

constexpr const char* kActions[] = {
    "CreateNetworkInterface",    "AttachNetworkInterface",
    "AssignPrivateIpAddresses",  "UnassignPrivateIpAddresses",
    "DetachNetworkInterface",    "DeleteNetworkInterface",
    "DescribeNetworkInterfaces", "DescribeVSwitches",
    "DescribeInstanceTypes"};
constexpr const char* kFaults[] = {"throttled",  "5xx",       "time-out",
                                   "reply lost", "forbidden", "conflict",
                                   "stuck"};

struct Cell {
  std::string action;
  std::string fault;
  bool kill = false;
  unsigned seed = 0;
};

void break_cloud(sim::Knobs& knobs, const Cell& cell, std::mt19937& random) {
  sim::ActionKnobs& action = knobs.actions[cell.action];
  const auto times = static_cast<unsigned>(1 + random() % 3);
  if (cell.fault == "throttled") {
    const char* spellings[] = {"Throttling", "Throttling.User",
                               "Throttling.Api"};
    action.refuse.assign(times, {400, spellings[random() % 3], "slow"});
  } else if (cell.fault == "5xx") {
    action.refuse.assign(
        times,
        {random() % 2 == 0 ? 500 : 503,
         random() % 2 == 0 ? "InternalError" : "ServiceUnavailable", "sorry"});
  } else if (cell.fault == "time-out") {
    action.lose_requests = times;
  } else if (cell.fault == "reply lost") {
    action.lose_replies = times;
  } else if (cell.fault == "forbidden") {
    action.denied = true;
  } else if (cell.fault == "conflict") {
    action.refuse.assign(times, {403, "Operation.Conflict", "busy"});
  } else if (cell.action == "AttachNetworkInterface") {
    knobs.stick_attaches = 1;
  } else if (cell.action == "DetachNetworkInterface") {
    knobs.stick_detaches = 1;
  } else if (cell.action == "DeleteNetworkInterface") {
    knobs.stick_deletes = 1;
  } else {
    action.lose_requests = 1000;  // no answer for as long as it lasts
  }
}

void mend_cloud(sim::Knobs& knobs) {
  for (auto& [name, action] : knobs.actions) {
    action = {};
  }
  knobs.stick_attaches = knobs.stick_detaches = knobs.stick_deletes = 0;
}

class Trial {
 public:
  Trial(EniRegion& region, const Cell& cell)
      : region_(region), cell_(cell), random_(cell.seed) {
    config_ = EniAgent::default_config(region);
    config_.eni.zones["cn-sim-a"].v_switches = {"vsw-pod-a"};
    config_.eni.pool = {
        .min_idle = 1, .max_idle = 3, .check_every = seconds(10)};
    config_.ipam.cool_down = seconds(10);
    region.tune([](sim::Knobs& knobs) {
      knobs.attach_time = seconds(1);
      knobs.detach_time = seconds(1);
      knobs.delete_time = seconds(1);
      knobs.address_lag = milliseconds(300);
    });
    // Two interfaces that are not ours: without tags, of another cluster.
    foreign_call({});
    foreign_call({{"Tag.1.Key", kClusterTag}, {"Tag.1.Value", "other"}});
    foreign_ = region.secondary();
  }

  void live() {
    agent_.emplace(region_, config_);
    agent_->start();
    agent_->pass(seconds(random_() % 10));
    region_.tune([&](sim::Knobs& k) { break_cloud(k, cell_, random_); });
    // Up to a full node and down again: every action has to come.
    grow(14);
    shrink(2);
    region_.tune(mend_cloud);
    region_.cloud.go_on();
    grow(6);
    shrink(0);
  }

  void expect_converged() {
    pass_minutes(12);
    grow(4);
    ASSERT_EQ(agent_->ledger.held().size(), 4U);
    std::set<IpAddr> given;
    for (const auto& [key, held] : agent_->ledger.held()) {
      for (const IpAddr& address : held.allocation.addresses) {
        EXPECT_TRUE(given.insert(address).second) << address.to_string();
      }
    }
    expect_books(given);
    shrink(0);
    pass_minutes(5);
    ASSERT_TRUE(agent_->ledger.check_invariants());
    EXPECT_LE(expect_books({}), config_.eni.pool.max_idle);
  }

 private:
  void foreign_call(std::map<std::string, std::string> params) {
    params["VSwitchId"] = "vsw-pod-a";
    params["SecurityGroupId"] = "sg-1";
    ASSERT_EQ(region_.call("CreateNetworkInterface", std::move(params)), 200);
  }
  void pass_minutes(int count) {
    for (int minute = 0; minute < count; ++minute) {
      agent_->pass(minutes(1));
    }
  }
  /// A kill loses nothing that was saved, and what the cloud was asked.
  void perhaps_kill() {
    if (!cell_.kill || random_() % 4 != 0) return;
    ipam::Ledger saved = agent_->remembered();
    agent_.reset();
    region_.clock.advance(milliseconds(random_() % 5000));
    agent_.emplace(region_, config_, std::move(saved));
    agent_->start();
  }
  void grow(std::size_t pods) {
    for (int tries = 0; pods_.size() < pods && tries < 20; ++tries) {
      const std::string name = "p" + std::to_string(next_++);
      const auto heard = agent_->add(name);
      for (int i = 0; i < 30 && !heard->answer; ++i) {
        agent_->pass(seconds(1));
      }
      perhaps_kill();
      if (agent_->ledger.find(key_of(name)) != nullptr) pods_.push_back(name);
      expect_placed();
    }
  }
  void shrink(std::size_t pods) {
    while (pods_.size() > pods) {
      const std::size_t which = random_() % pods_.size();
      agent_->del(pods_[which]);
      pods_.erase(pods_.begin() + static_cast<std::ptrdiff_t>(which));
      perhaps_kill();
    }
    pass_minutes(2);
    perhaps_kill();
    agent_->pass(seconds(30));
  }
  /// At any time: what pods hold is theirs in the cloud, from a listed vSwitch.
  void expect_placed() const {
    std::map<IpAddr, sim::BookLine> books;
    for (const sim::BookLine& line : region_.cloud.books()) {
      books.emplace(line.address, line);
    }
    for (const auto& [key, held] : agent_->ledger.held()) {
      for (const IpAddr& address : held.allocation.addresses) {
        const auto line = books.find(address);
        ASSERT_NE(line, books.end()) << address.to_string() << " is lost";
        EXPECT_EQ(line->second.instance, "i-a");
        EXPECT_EQ(line->second.v_switch, "vsw-pod-a");
      }
    }
  }
  /// The cloud's books are the ledger: nothing leaked, nothing invented. How
  /// many addresses there are.
  std::size_t expect_books(const std::set<IpAddr>& held) const {
    std::set<IpAddr> in_cloud;
    std::vector<sim::EniView> foreign;
    for (const sim::EniView& eni : region_.secondary()) {
      const auto is = [&](const sim::EniView& one) { return one.id == eni.id; };
      if (std::ranges::any_of(foreign_, is)) {
        foreign.push_back(eni);
        continue;
      }
      EXPECT_EQ(eni.instance, "i-a") << eni.id << " is left behind";
      in_cloud.insert(eni.addresses.begin(), eni.addresses.end());
    }
    EXPECT_EQ(foreign.size(), foreign_.size());
    for (std::size_t i = 0; i < foreign.size(); ++i) {
      EXPECT_EQ(foreign[i].addresses, foreign_[i].addresses);
      EXPECT_EQ(foreign[i].instance, foreign_[i].instance);
    }
    std::set<IpAddr> in_ledger;
    for (const ipam::AddressRow& row :
         agent_->ledger.rows(region_.clock.now())) {
      in_ledger.insert(row.address);
    }
    EXPECT_EQ(in_cloud, in_ledger);
    EXPECT_TRUE(std::ranges::includes(in_cloud, held));
    return in_cloud.size();
  }

  EniRegion& region_;
  Cell cell_;
  std::mt19937 random_;
  conf::AgentConfig config_;
  std::optional<EniAgent> agent_;
  std::vector<sim::EniView> foreign_;
  std::vector<std::string> pods_;
  unsigned next_ = 0;
};

constexpr unsigned kSeeds = 8;          // of each cell
constexpr unsigned kEnoughFailed = 20;  // to see a pattern

std::string to_string(const Cell& cell) {
  return fmt::format("LINSEY_SEED={} action={} fault={} agent={}", cell.seed,
                     cell.action, cell.fault, cell.kill ? "killed" : "lives");
}

/// A seed names the same run whether all of them run or some.
std::vector<Cell> cells() {
  const char* full = std::getenv("LINSEY_SHOW_FULL");
  const char* seed = std::getenv("LINSEY_SEED");
  const bool all = full != nullptr && *full != '\0';
  std::vector<Cell> cells;
  unsigned pair = 0;
  for (const char* action : kActions) {
    for (const char* fault : kFaults) {
      for (unsigned i = 0; i < kSeeds; ++i) {
        const unsigned number = pair * kSeeds + i + 1;
        const bool some = pair % 3 == 0 && i == pair % kSeeds;
        const bool wanted = seed != nullptr
                                ? std::atoi(seed) == static_cast<int>(number)
                                : all || some;
        if (wanted) cells.push_back({action, fault, i % 2 == 1, number});
      }
      ++pair;
    }
  }
  return cells;
}

int failures() {
  const testing::TestResult* result =
      testing::UnitTest::GetInstance()->current_test_info()->result();
  int count = 0;
  for (int i = 0; i < result->total_part_count(); ++i) {
    count += result->GetTestPartResult(i).failed() ? 1 : 0;
  }
  return count;
}

class EniMatrix : public tests::NetnsTest {};

TEST_F(EniMatrix, ConvergesAfterEveryFault) {
  const std::vector<Cell> all = cells();
  unsigned failed = 0;
  std::size_t done = 0;
  for (const Cell& cell : all) {
    SCOPED_TRACE(to_string(cell));
    const netlink::NetNs machine = must(netlink::NetNs::create());
    const netlink::NetNs fabric = must(netlink::NetNs::create());
    sh(machine, "ip link set lo up");
    const int before = failures();
    inside(machine, [&] {
      EniRegion region(machine, fabric);
      Trial trial(region, cell);
      trial.live();
      trial.expect_converged();
    });
    ++done;
    if (failures() == before) continue;
    std::printf("violated: %s\n", to_string(cell).c_str());
    if (++failed == kEnoughFailed) break;
  }
  std::printf("%zu of %zu runs, %u with violations\n", done, all.size(),
              failed);
}

}  // namespace
}  // namespace linsey::agent
