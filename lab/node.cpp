#include "lab/node.h"

#include <signal.h>

#include "base/log.h"
#include "lab/process_rights.h"

namespace linsey::lab {

Result<std::unique_ptr<Node>> Node::create(const NodeSpec& spec,
                                           const NodePaths& paths) {
  netlink::NetNs ns = TRY(netlink::NetNs::create());
  TRY(ip_batch(ns, "link set lo up\n"));
  return std::unique_ptr<Node>(new Node(spec, paths, std::move(ns)));
}

Result<void> Node::start_agent(const std::string& program) {
  program_ = program;
  if (agent_.alive()) return {};
  Command command;
  command.argv =
      with_rights(agent_rights(), {program, "--config", paths_.agent_json()});
  command.netns_fd = ns_.fd();
  command.output_file = paths_.log("linseyd");
  agent_ =
      TRY(context(Child::start(command), "start the agent of {}", spec_.name));
  return {};
}

void Node::stop_agent(bool kill) {
  if (kill) {
    agent_.kill_now();
  } else {
    (void)agent_.stop();
  }
}

void Node::terminate() const {
  agent_.signal(SIGTERM);
  bird_.signal(SIGTERM);
}

Result<void> Node::supervise() {
  if (bird_.alive() || program_.empty()) return {};
  if (bird_.pid() > 0) log::warn("BIRD's supervisor of {} ended", spec_.name);
  Command command;
  command.argv =
      with_rights(bird_rights(), {program_, "bird-supervisor", "--bird-config",
                                  paths_.bird_config(), "--bird-socket",
                                  paths_.bird_socket()});
  command.netns_fd = ns_.fd();
  command.output_file = paths_.log("bird");
  bird_ = TRY(context(Child::start(command), "start BIRD's supervisor of {}",
                      spec_.name));
  return {};
}

std::string Node::plug(const std::string& card) {
  for (int i = 0;; ++i) {
    std::string name = "eth" + std::to_string(i);
    if (cards_.emplace(name, card).second) return name;
  }
}

void Node::unplug(const std::string& card) {
  std::erase_if(cards_,
                [&](const auto& entry) { return entry.second == card; });
}

}  // namespace linsey::lab
