// What is compared: three ways to give a pod its network. Each makes the same
// thing: a veth pair, one IPv4 address in the pod, its default route, and the
// host's route to it.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "bench/launcher.h"
#include "netlink/netns.h"

namespace linsey::bench {

/// A pod to be: its namespace is made before the clock starts.
struct BenchPod {
  netlink::NetNs netns;
  std::string id;
  unsigned number = 0;
};

struct Contender {
  std::string name;  // "linsey"
  std::string what;  // how people know it
  std::function<Launch(const BenchPod&)> add;
  /// `added` is what ADD printed; runtimes hand it back as prevResult.
  std::function<Launch(const BenchPod&, const std::string& added)> del;
  /// CHECK, where the contender has one.
  std::function<Launch(const BenchPod&, const std::string& added)> check;
  /// The pod's address, to try whether it can be reached.
  std::function<std::string(const BenchPod&, const std::string& added)> address;
};

struct Places {
  std::string linsey;  // directory of our plugin
  std::string cni;     // directory of the reference plugins
  std::string floor;   // the bare program
  std::string socket;  // our agent's
  std::string notes;
  std::string scratch;  // where host-local keeps its files
};

Contender linsey(const Places& places);
/// ptp with host-local, the reference plugins.
Contender reference(const Places& places);
/// The kernel work alone, in a program of its own: no agent, no state.
Contender floor_of(const Places& places);

/// `count` fresh pods.
Result<std::vector<BenchPod>> make_pods(unsigned count);

std::vector<Launch> adds_of(const Contender& contender,
                            const std::vector<BenchPod>& pods);
/// `added`: what adds_of gave, in the same order.
std::vector<Launch> dels_of(const Contender& contender,
                            const std::vector<BenchPod>& pods,
                            const Series& added);

/// The contender has a check.
std::vector<Launch> checks_of(const Contender& contender,
                              const std::vector<BenchPod>& pods,
                              const Series& added);

/// VERSION of a plugin: its start-up and nothing else.
Launch version_of(const std::string& plugin);

}  // namespace linsey::bench
