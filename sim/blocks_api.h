// BlocksApi: the API server's share in the cluster's simulation.
//
// Objects as structs, not JSON over HTTP: at ten thousand nodes the bytes are
// counted from the real JSON's size, not moved. Create is a compare-and-swap,
// patch and delete are guarded by the uid, replies may be lost. It holds the
// controller's scene, so the shipped planner looks at it directly.
#pragma once

#include <cstdint>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "controller/planner.h"
#include "ipam/claim_types.h"

namespace linsey::sim {

struct Writes {
  std::uint64_t create = 0;
  std::uint64_t confirm = 0;
  std::uint64_t release = 0;
  std::uint64_t remove = 0;
  std::uint64_t refused = 0;  // met another's object
  std::uint64_t freed = 0;    // by the controller
  std::uint64_t status = 0;   // by the controller
  std::uint64_t looks = 0;    // reads
  std::uint64_t lists = 0;    // reads
  std::uint64_t all() const {
    return create + confirm + release + remove + refused + freed + status;
  }
};

class BlocksApi {
 public:
  explicit BlocksApi(std::uint64_t seed) : random_(seed) {}

  ipam::ClaimResult serve(const std::string& node,
                          const ipam::ClaimAction& action);
  void carry_out(const controller::Action& action);
  std::vector<ipam::OwnBlock> own(const std::string& node) const;
  /// "" when nobody has it.
  std::string owner(const Cidr& block) const;

  controller::Scene scene;
  bool down = false;
  unsigned lost_of_1000 = 0;  // replies
  bool no_cas = false;        // planted: create never meets anybody
  unsigned count_as = 1;      // planted: writes for one
  Writes writes;
  /// Bytes that watches carry: each node's own blocks, and pools to all.
  std::uint64_t watch_bytes = 0;

 private:
  ipam::ClaimResult act(const std::string& node,
                        const ipam::ClaimAction& action);
  void change(kube::IpBlock& block, ipam::ClaimVerb verb);
  void tell(const kube::IpBlock& block);

  std::mt19937_64 random_;
  std::map<std::string, std::set<std::string>> by_node_;
  std::uint64_t next_uid_ = 1;
};

}  // namespace linsey::sim
