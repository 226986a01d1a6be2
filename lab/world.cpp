#include "lab/world.h"

#include <atomic>
#include <chrono>
#include <thread>
#include <utility>

#include "base/file.h"
#include "base/log.h"
#include "base/sha1.h"

namespace linsey::lab {

Result<std::unique_ptr<World>> World::build(WorldOptions options, Desk& desk) {
  std::unique_ptr<World> world(new World(std::move(options), desk));
  world->host_links_ = host_links();
  TRY(world->build_networks());
  TRY(world->build_cloud());
  return world;
}

World::~World() = default;

Result<void> World::build_networks() {
  const Topology& topology = options_.topology;
  vpc_ = std::make_unique<VpcNetwork>(TRY(VpcNetwork::build(topology)));
  TRY(remember("vpc", vpc_->router()));
  data_centre_ =
      std::make_unique<DataCentreNetwork>(TRY(DataCentreNetwork::build(
          topology, vpc_->router(), options_.directory + "/reflector")));
  for (const auto& [name, router] : data_centre_->routers()) {
    TRY(remember("router " + name, router.ns()));
  }
  return remember("data-centre", data_centre_->ns());
}

Result<void> World::remember(const std::string& what,
                             const netlink::NetNs& ns) {
  namespaces_[what] = TRY(identify(ns));
  return save();
}

Result<void> World::save() const {
  return write_file_atomic(options_.directory + "/inventory.json",
                           to_json(inventory()), {.mode = 0600, .sync = false});
}

Inventory World::inventory() const {
  Inventory out;
  out.name = options_.topology.name;
  out.directory = options_.directory;
  out.namespaces = namespaces_;
  out.host_links = host_links_;
  out.processes["lab"] = getpid();
  if (data_centre_ && data_centre_->bird_pid() > 0) {
    out.processes["reflector"] = data_centre_->bird_pid();
  }
  if (data_centre_) {
    for (const auto& [name, router] : data_centre_->routers()) {
      out.processes["router/" + name] = router.bird_pid();
    }
  }
  for (const auto& [name, node] : nodes_) {
    if (const pid_t pid = node->agent_pid()) {
      out.processes[name + "/linseyd"] = pid;
    }
    if (const pid_t pid = node->bird_pid()) out.processes[name + "/bird"] = pid;
  }
  return out;
}

Result<Node*> World::node(const std::string& name) const {
  const auto found = nodes_.find(name);
  if (found != nodes_.end()) return found->second.get();
  std::string known;
  for (const auto& [other, node] : nodes_) {
    known += (known.empty() ? "" : ", ") + other;
  }
  return make_error(Code::kNodeUnknown, "no node {} runs; there are {}", name,
                    known);
}

Result<void> World::join(const std::string& name) {
  const auto spec = options_.topology.nodes.find(name);
  if (spec == options_.topology.nodes.end()) {
    return make_error(Code::kNodeUnknown, "the topology has no node {}", name);
  }
  if (nodes_.contains(name)) {
    return make_error(Code::kInterfaceExists, "node {} runs already", name);
  }
  const NodePaths paths{options_.directory + "/nodes/" + name};
  TRY(write_node_files(options_.topology, spec->second, paths,
                       options_.conflist, options_.plugin_program));
  std::unique_ptr<Node> node = TRY(Node::create(spec->second, paths));
  TRY(remember("node " + name, node->ns()));
  Node& kept = *nodes_.emplace(name, std::move(node)).first->second;
  TRY(context(plug_machine(kept), "join {}", name));
  return kept.start_agent(options_.agent_program);
}

Result<void> World::plug_machine(Node& node) {
  if (node.spec().site == Site::kCloud) return boot_cloud_node(node);
  (void)node.plug("fabric");  // is eth0
  return data_centre_->attach(node.spec(), node.ns());
}

Result<void> World::leave(const std::string& name) {
  Node* gone = TRY(node(name));
  for (const auto& [id, pod] : pods_) {
    if (id.node != name) continue;
    return make_error(Code::kStateMismatch,
                      "node {} has pods ({}); remove them first", name,
                      id.to_string());
  }
  gone->terminate();
  for (const auto& [ifname, card] : gone->cards()) {
    TRY(gone->spec().site == Site::kDataCentre ? data_centre_->detach(name)
                                               : vpc_->detach(card));
  }
  nodes_.erase(name);
  namespaces_.erase("node " + name);
  return save();
}

Result<void> World::start_agent(const std::string& name) {
  return TRY(node(name))->start_agent(options_.agent_program);
}

CniHost World::cni_host(const Node& node, bool unpublished) const {
  return {unpublished ? node.paths().etc() : node.paths().cni_conf(),
          node.paths().cni_bin(), node.paths().cni_cache(), node.ns().fd()};
}

Result<Sandbox> World::make_pod(const PodId& id,
                                const std::string& capabilities) {
  TRY(node(id.node));
  if (pods_.contains(id)) {
    return make_error(Code::kInterfaceExists, "pod {} exists", id.to_string());
  }
  netlink::NetNs ns = TRY(netlink::NetNs::create());
  TRY(remember("pod " + id.to_string(), ns));
  // Unique for the life of the machine, as a runtime's ids are.
  const NamespaceId identity = namespaces_["pod " + id.to_string()];
  const std::string seed =
      fmt::format("{} {} {}", id.to_string(), identity.inode, identity.cookie);
  Pod pod{std::move(ns),
          sha1_hex(seed) + sha1_hex(seed + "2").substr(0, 24),
          capabilities,
          true,
          {}};
  return pods_.emplace(id, std::move(pod)).first->second.sandbox(id);
}

Result<Sandbox> World::use_pod(const PodId& id) {
  const auto found = pods_.find(id);
  if (found == pods_.end()) {
    return make_error(Code::kUnknownAttachment, "there is no pod {}",
                      id.to_string());
  }
  if (std::exchange(found->second.busy, true)) {
    return make_error(Code::kTryAgainLater, "pod {} is being changed",
                      id.to_string());
  }
  return found->second.sandbox(id);
}

void World::settle_pod(const PodId& id, const Attached& attached) {
  pods_.at(id).attached = attached;
  settle_pod(id);
}

void World::settle_pod(const PodId& id) {
  pods_.at(id).busy = false;
}

void World::forget_pod(const PodId& id) {
  pods_.erase(id);
}

void World::supervise() {
  for (const auto& [name, node] : nodes_) {
    const Result<void> done = node->supervise();
    if (!done) log::error("{}", to_string(done.error()));
  }
}

void World::shut_down() {
  for (const auto& [name, node] : nodes_) {
    node->terminate();
  }
  for (const auto& [name, node] : nodes_) {
    node->stop_agent(false);
  }
  // Its thread may be in a hook that waits for this one.
  std::atomic<bool> over = false;
  std::thread end([&] {
    cloud_.reset();
    over = true;
  });
  while (!over) {
    desk_->turn(std::chrono::milliseconds(5));
  }
  end.join();
}

}  // namespace linsey::lab
