// Cluster: seeded histories of a whole cluster, and the rules they must keep.
//
// Rounds of ten seconds. Nodes join within five minutes, pods fill the cluster
// and then come and go until ten times the alive ones were created; meanwhile
// agents crash with and without a saved turn, nodes die, come back or stay
// away, replies are lost, single nodes and everybody lose the API server.
// After each step: no address and no block twice, none lost. At the end, when
// all is quiet: ledger and API agree, nothing of gone nodes is left, and the
// writes are within their bounds. Same options, same hash.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <random>
#include <string>
#include <unordered_map>
#include <vector>

#include "controller/planner.h"
#include "sim/blocks_api.h"
#include "sim/node.h"

namespace linsey::sim {

enum class Plant : std::uint8_t {
  kNothing,
  kDoubleAddress,  // a crash forgets who holds what
  kLostAddress,    // a DEL is not carried out
  kDoubleBlock,    // create is no compare-and-swap
  kManyWrites,     // every write is made twice
};

struct SimOptions {
  std::uint64_t nodes = 10000;
  std::uint64_t pods = 200000;  // alive; ten times as many are created
  std::uint64_t seed = 1;
  Plant plant = Plant::kNothing;
};

struct Outcome {
  std::uint64_t created = 0;
  std::uint64_t deleted = 0;
  std::uint64_t most_alive = 0;
  std::uint64_t waited = 0;  // ADDs that found no address at once
  std::uint64_t crashes = 0;
  std::uint64_t died = 0;
  std::uint64_t joined = 0;
  std::uint64_t checks = 0;
  Writes writes;
  double writes_per_claim = 0;
  double refused_per_claim = 0;
  double writes_per_release = 0;
  double writes_per_pod = 0;            // in steady churn
  double watch_bytes_hour = 0;          // per node
  std::vector<std::string> violations;  // the first twenty
  std::uint64_t violation_count = 0;
  std::uint64_t hash = 0;
};

class Cluster {
 public:
  explicit Cluster(const SimOptions& options);
  Outcome run(const std::function<void(unsigned percent)>& progress);

 private:
  struct AddressHash {
    std::size_t operator()(const IpAddr& address) const;
  };

  void round(unsigned number);
  void join(const std::string& name);
  void die(std::size_t at);
  void trouble(unsigned number);
  void create(std::size_t at, std::uint64_t pod);
  void remove_one(std::size_t at);
  void crash(std::size_t at);
  void settle();
  void controller();
  void check_node(Node& node, bool deep);
  void check_end();
  void bounds();
  void violate(std::string what);
  void mix(std::uint64_t value);
  void mix(const IpAddr& address);
  std::size_t any() { return random_() % nodes_.size(); }

  SimOptions options_;
  std::mt19937_64 random_;
  BlocksApi api_;
  controller::Planner planner_;
  std::vector<Node> nodes_;
  std::vector<std::pair<unsigned, std::string>> returning_;       // round, name
  std::unordered_map<IpAddr, std::uint64_t, AddressHash> given_;  // to a pod
  std::unordered_map<std::uint64_t, std::vector<IpAddr>> pods_;
  Instant now_ = std::chrono::hours(1);
  Outcome out_;
  std::uint64_t next_node_ = 0;
  std::uint64_t next_pod_ = 1;
  std::uint64_t steady_writes_ = 0;
  std::uint64_t steady_pods_ = 0;
};

}  // namespace linsey::sim
