#include "sim/cluster.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace linsey::sim {
namespace {

constexpr Duration kRoundTime = std::chrono::seconds(10);
constexpr unsigned kJoining = 30;  // rounds
constexpr unsigned kFilling = 30;
constexpr unsigned kChurning = 360;
constexpr unsigned kQuiet = 150;
constexpr unsigned kCutFrom = 200;  // rounds without API server
constexpr unsigned kCutTo = 230;
constexpr std::size_t kDeepEvery = 32;
constexpr std::size_t kMostTold = 20;

kube::IpPool make_pool(const std::string& name, const Cidr& cidr,
                       unsigned size) {
  kube::IpPool pool{.cidr = cidr, .block_size = size};
  pool.meta.name = name;
  pool.meta.created = name;
  return pool;
}

}  // namespace

std::size_t Cluster::AddressHash::operator()(const IpAddr& address) const {
  std::size_t hash = 14695981039346656037U;
  for (const std::uint8_t byte : address.bytes()) {
    hash = (hash ^ byte) * 1099511628211U;
  }
  return hash;
}

Cluster::Cluster(const SimOptions& options)
    : options_(options), random_(options.seed), api_(options.seed + 1) {
  // Half full, so that searches meet others.
  const unsigned bits =
      std::min(18U, static_cast<unsigned>(std::bit_width(options.nodes)) + 1);
  api_.scene.pools["p4"] =
      make_pool("p4", Cidr(IpAddr::v4(0x0a000000), 26 - bits), 26);
  api_.scene.pools["p6"] =
      make_pool("p6", Cidr(*IpAddr::parse("fd00::"), 122 - bits), 122);
  api_.no_cas = options.plant == Plant::kDoubleBlock;
  if (options.plant == Plant::kManyWrites) api_.count_as = 2;
  nodes_.reserve(options.nodes + options.nodes / 10 + 10);
}

void Cluster::violate(std::string what) {
  ++out_.violation_count;
  if (out_.violations.size() < kMostTold) {
    out_.violations.push_back(std::move(what));
  }
}

void Cluster::mix(std::uint64_t value) {
  out_.hash = (out_.hash ^ value) * 1099511628211U;
}

void Cluster::mix(const IpAddr& address) {
  mix(AddressHash()(address));
}

Outcome Cluster::run(const std::function<void(unsigned)>& progress) {
  out_.hash = options_.seed;
  constexpr unsigned kAll = kJoining + kFilling + kChurning + kQuiet;
  for (unsigned number = 0; number < kAll; ++number) {
    round(number);
    now_ += kRoundTime;
    if (progress) progress(100 * (number + 1) / kAll);
  }
  check_end();
  bounds();
  return out_;
}

void Cluster::round(unsigned number) {
  const unsigned filled = kJoining + kFilling;
  const unsigned churned = filled + kChurning;
  const std::uint64_t before = api_.writes.all();
  api_.down = number >= kCutFrom && number < kCutTo;
  if (number < kJoining) {
    const std::uint64_t until = options_.nodes * (number + 1) / kJoining;
    while (next_node_ < until) {
      join("node-" + std::to_string(next_node_++));
    }
  } else if (number < churned) {
    const bool filling = number < filled;
    const unsigned at = number - (filling ? kJoining : filled);
    const std::uint64_t all = filling ? options_.pods : 9 * options_.pods;
    const unsigned rounds = filling ? kFilling : kChurning;
    const std::uint64_t count = all * (at + 1) / rounds - all * at / rounds;
    for (std::uint64_t i = 0; i < count; ++i) {
      create(any(), next_pod_++);
      if (filling) continue;
      std::size_t node = any();
      while (nodes_[node].pods.empty())
        node = (node + 1) % nodes_.size();
      remove_one(node);
    }
    if (!filling) {
      trouble(number);
      steady_pods_ += count;
    }
  }
  if (number >= churned) api_.lost_of_1000 = 0;
  settle();
  // Every round: a controller that reads often sees more half-done things.
  controller();
  if (number >= filled && number < churned) {
    steady_writes_ += api_.writes.all() - before;
  }
}

void Cluster::join(const std::string& name) {
  api_.scene.nodes.insert(name);
  nodes_.emplace_back(name);
  ++out_.joined;
}

/// Its pods are gone with it; its blocks stay until the controller frees them.
void Cluster::die(std::size_t at) {
  Node& node = nodes_[at];
  for (const std::uint64_t pod : node.pods) {
    for (const IpAddr& address : pods_[pod]) {
      given_.erase(address);
    }
    pods_.erase(pod);
    ++out_.deleted;
  }
  api_.scene.nodes.erase(node.name());
  if (at + 1 != nodes_.size()) nodes_[at] = std::move(nodes_.back());
  nodes_.pop_back();
  ++out_.died;
}

void Cluster::trouble(unsigned number) {
  api_.lost_of_1000 = 10;
  const std::uint64_t some = options_.nodes / 500 + 1;
  for (std::uint64_t i = 0; i < some; ++i) {
    crash(any());
    nodes_[any()].cut_until =
        now_ + std::chrono::seconds(60) * (random_() % 10);
  }
  // Deaths and jobs as of two thousand nodes at the least.
  const auto rare =
      static_cast<unsigned>(std::max<std::uint64_t>(1, 2000 / options_.nodes));
  if (number % (4 * rare) == 0) {
    const std::size_t at = any();
    // Some come back under their name, before or after their blocks are freed.
    const bool back = random_() % 2 == 0;
    const unsigned after = number + static_cast<unsigned>(random_() % 60);
    returning_.emplace_back(after, back ? nodes_[at].name() : std::string());
    die(at);
  }
  std::erase_if(returning_, [&](const auto& entry) {
    if (entry.first > number) return false;
    join(entry.second.empty() ? "node-" + std::to_string(next_node_++)
                              : entry.second);
    return true;
  });
  if (number % (3 * rare) == 0) {  // a job: many pods at once on one node
    const std::size_t at = any();
    for (int i = 0; i < 60; ++i) {
      create(at, next_pod_++);
    }
    for (int i = 0; i < 60; ++i) {
      remove_one(at);
    }
  }
}

void Cluster::create(std::size_t at, std::uint64_t pod) {
  Node& node = nodes_[at];
  auto addresses = node.add(pod, now_);
  for (int i = 0; !addresses && i < 12; ++i) {
    ++node.waiting;
    ++out_.waited;
    const Result<bool> done = node.turn(api_, true, now_);
    if (!done) violate(done.error().msg);
    node.waiting = 0;
    addresses = node.add(pod, now_);
  }
  if (!addresses) return;  // the runtime tries again as another pod
  node.save();
  for (const IpAddr& address : *addresses) {
    const auto [other, is_new] = given_.emplace(address, pod);
    if (!is_new) {
      violate(fmt::format("{} given to pods {} and {}", address.to_string(),
                          other->second, pod));
    }
    mix(address);
  }
  pods_[pod] = std::move(*addresses);
  node.pods.push_back(pod);
  ++out_.created;
  out_.most_alive = std::max<std::uint64_t>(out_.most_alive, pods_.size());
  check_node(node, pod % kDeepEvery == 0);
}

void Cluster::remove_one(std::size_t at) {
  Node& node = nodes_[at];
  if (node.pods.empty()) return;
  std::swap(node.pods[random_() % node.pods.size()], node.pods.back());
  const std::uint64_t pod = node.pods.back();
  node.pods.pop_back();
  const bool planted = options_.plant == Plant::kLostAddress && pod % 97 == 0;
  if (!planted) node.del(pod, now_);
  node.save();
  for (const IpAddr& address : pods_[pod]) {
    given_.erase(address);
  }
  pods_.erase(pod);
  ++out_.deleted;
  mix(pod);
  check_node(node, false);
}

/// With a turn that was not saved: an ADD nobody heard of, or a DEL that the
/// runtime repeats.
void Cluster::crash(std::size_t at) {
  Node& node = nodes_[at];
  Node::Disk disk = node.disk(now_);
  if (options_.plant == Plant::kDoubleAddress) disk.held.clear();
  if (random_() % 2 == 0) (void)node.add(next_pod_++, now_);
  if (!node.pods.empty() && random_() % 2 == 0) node.del(node.pods[0], now_);
  node.crash(disk);
  ++out_.crashes;
  const Result<bool> done = node.turn(api_, true, now_);
  if (!done) violate(done.error().msg);
  check_node(node, true);
}

/// All nodes take turns, so that they race; a claim takes four or five.
void Cluster::settle() {
  constexpr int kPasses = 8;
  for (int pass = 0; pass < kPasses; ++pass) {
    bool more = false;
    for (Node& node : nodes_) {
      if (!node.due(now_)) continue;
      const Result<bool> done = node.turn(api_, true, now_);
      if (!done) violate(done.error().msg);
      more |= done.value_or(false);
      check_node(node, false);
    }
    if (!more) return;
  }
}

void Cluster::controller() {
  api_.scene.current = !api_.down;
  api_.scene.wall = "2026-01-02T03:04:05Z";
  for (const controller::Action& action : planner_.plan(api_.scene, now_)) {
    mix(static_cast<std::uint64_t>(action.verb));
    api_.carry_out(action);
  }
}

void Cluster::check_node(Node& node, bool deep) {
  ++out_.checks;
  if (node.ledger().held().size() != node.pods.size()) {
    violate(fmt::format("{} has {} pods and {} held rows", node.name(),
                        node.pods.size(), node.ledger().held().size()));
  }
  if (!deep) return;
  const Result<void> sound = node.ledger().check_invariants();
  if (!sound) violate(node.name() + ": " + sound.error().msg);
  for (const auto& [source, counts] : node.ledger().counts_by_source(now_)) {
    const Cidr block = Cidr::parse_network(source.first).value();
    if (counts.total() != block.size()) {
      violate(fmt::format("{} lost addresses of {}: {} rows", node.name(),
                          source.first, counts.total()));
    }
    if (api_.owner(block) != node.name()) {
      violate(fmt::format("{} has {}, which is \"{}\"'s", node.name(),
                          source.first, api_.owner(block)));
    }
  }
}

void Cluster::check_end() {
  std::size_t blocks = 0;
  for (Node& node : nodes_) {
    check_node(node, true);
    blocks += node.ledger().counts_by_source(now_).size();
    for (const std::uint64_t pod : node.pods) {
      const auto* held = node.ledger().find({"n", std::to_string(pod), "eth0"});
      if (held == nullptr || held->allocation.addresses != pods_[pod]) {
        violate(fmt::format("{} lost pod {}", node.name(), pod));
      }
    }
  }
  if (blocks != api_.scene.blocks.size()) {
    violate(fmt::format("the API has {} blocks, the ledgers {}",
                        api_.scene.blocks.size(), blocks));
  }
  for (const auto& [name, block] : api_.scene.blocks) {
    if (block.state == kube::BlockState::kConfirmed) continue;
    violate(fmt::format("{} of {} is still {}", name, block.node,
                        kube::name(block.state)));
  }
}

void Cluster::bounds() {
  const Writes& w = out_.writes = api_.writes;
  const auto ratio = [](std::uint64_t a, std::uint64_t b) {
    return b == 0 ? 0.0 : static_cast<double>(a) / static_cast<double>(b);
  };
  const std::uint64_t unit = 1;
  const std::uint64_t claims = std::max(unit, w.create / api_.count_as);
  const std::uint64_t releases = std::max(unit, w.remove / api_.count_as);
  out_.writes_per_claim = ratio(w.create + w.confirm, claims);
  out_.refused_per_claim = ratio(w.refused, claims);
  out_.writes_per_release = ratio(w.release + w.remove, releases);
  out_.writes_per_pod = ratio(steady_writes_, std::max(unit, steady_pods_));
  const double hours =
      std::chrono::duration<double, std::ratio<3600>>(now_).count() - 1;
  out_.watch_bytes_hour = static_cast<double>(api_.watch_bytes) /
                          static_cast<double>(nodes_.size()) / hours;
  constexpr double kBlock = 2.0;
  constexpr double kPod = 0.01;
  constexpr double kBytes = 2e6;
  const auto at_most = [&](const char* what, double value, double limit) {
    if (value > limit) {
      violate(fmt::format("{}: {:.4f}, allowed {}", what, value, limit));
    }
  };
  at_most("writes per block claimed", out_.writes_per_claim, kBlock);
  at_most("refused writes per block claimed", out_.refused_per_claim, 0.1);
  at_most("writes per block released", out_.writes_per_release, kBlock);
  at_most("writes per pod in steady churn", out_.writes_per_pod, kPod);
  at_most("watch bytes per node and hour", out_.watch_bytes_hour, kBytes);
}

}  // namespace linsey::sim
