#include "lab/data_centre.h"

#include <algorithm>
#include <utility>

#include "base/file.h"
#include "lab/process_rights.h"

namespace linsey::lab {
namespace {

constexpr std::string_view kBridge = "fabric";

std::string line_bucket(const Line& line) {
  return fmt::format("root tbf rate {}mbit burst {}kb latency 50ms",
                     line.rate_mbit, line.burst_kb);
}

Result<void> shape(const netlink::NetNs& ns, const Line& line) {
  Command command;
  command.argv = {"tc", "-batch", "-"};
  command.stdin_data = "qdisc add dev line " + line_bucket(line) + "\n";
  command.netns_fd = ns.fd();
  const Result<std::string> done = run_ok(command);
  if (!done) return done.error();
  return {};
}

Result<void> lay_line(const Topology& topology, const netlink::NetNs& dc,
                      const netlink::NetNs& vpc_router) {
  const Line& line = topology.line;
  std::string here = fmt::format(
      "link add line type veth peer name line netns {}\n"
      "addr add {} dev line\nlink set line up\n",
      vpc_router.path(), line.data_centre.to_string());
  for (const Cidr& route : topology.data_centre.routes) {
    here += fmt::format("route add {} via {}\n", route.to_string(),
                        line.vpc.addr().to_string());
  }
  std::string there = fmt::format("addr add {} dev line\nlink set line up\n",
                                  line.vpc.to_string());
  for (const Cidr& route : topology.vpc.routes) {
    there += fmt::format("route add {} via {}\n", route.to_string(),
                         line.data_centre.addr().to_string());
  }
  TRY(ip_batch(dc, here.substr(0, here.find('\n') + 1)));
  TRY(ip_batch(vpc_router, there));
  TRY(ip_batch(dc, here.substr(here.find('\n') + 1)));
  TRY(shape(dc, line));
  return shape(vpc_router, line);
}

Result<void> build_fabric(const Topology& topology, const netlink::NetNs& dc) {
  const DataCentre& plan = topology.data_centre;
  TRY(write_sysctls(dc, {{"ipv4/ip_forward", "1"},
                         {"ipv4/conf/all/rp_filter", "0"},
                         {"ipv4/conf/default/rp_filter", "0"},
                         {"ipv4/conf/all/send_redirects", "0"},
                         {"ipv4/conf/default/send_redirects", "0"}}));
  const Cidr address(plan.switch_address, plan.nodes.prefix_len());
  return ip_batch(dc, fmt::format("link set lo up\n"
                                  "link add {0} type bridge\n"
                                  "link set {0} up\n"
                                  "addr add {1} dev {0}\n",
                                  kBridge, address.to_string()));
}

}  // namespace

std::string reflector_config(const Topology& topology) {
  const DataCentre& plan = topology.data_centre;
  std::string text = fmt::format(
      "log stderr all;\n"
      "router id {};\n"
      "protocol device {{ scan time 2; }}\n"
      "protocol kernel {{\n"
      "  ipv4 {{ import none; export where source = RTS_BGP; }};\n"
      "}}\n",
      plan.switch_address.to_string());
  for (const auto& [name, node] : topology.nodes) {
    if (node.site != Site::kDataCentre) continue;
    text += fmt::format(
        "protocol bgp {0} {{\n"
        "  local {1} as {2};\n"
        "  neighbor {3} as {2};\n"
        "  rr client;\n"
        "  direct;\n"
        "  connect delay time 1;\n"
        "  connect retry time 1;\n"
        "  error wait time 1, 4;\n"
        "  graceful restart on;\n"
        "  ipv4 {{ import {4}; export where source = RTS_BGP; }};\n"
        "}}\n",
        node_protocol(name), plan.switch_address.to_string(), plan.as_number,
        node.address.to_string(), import_clause(topology, Family::kV4, 0));
  }
  return text;
}

Result<DataCentreNetwork> DataCentreNetwork::build(
    const Topology& topology, const netlink::NetNs& vpc_router,
    const std::string& directory) {
  DataCentreNetwork dc(topology, TRY(netlink::NetNs::create()), directory);
  TRY(make_directories(directory, 0700));
  TRY(context(build_fabric(topology, dc.ns_), "build the data centre"));
  TRY(context(lay_line(topology, dc.ns_, vpc_router), "lay the line"));
  if (topology.data_centre.routers.empty()) {
    TRY(context(dc.start_reflector(), "start the route reflector"));
  }
  for (const auto& [name, spec] : topology.data_centre.routers) {
    dc.routers_.emplace(
        name, TRY(context(
                  Router::start(topology, spec, dc.ns_,
                                fmt::format("{}/routers/{}", directory, name)),
                  "start router {}", name)));
  }
  return dc;
}

Result<void> DataCentreNetwork::start_reflector() {
  const std::string config = directory_ + "/bird.conf";
  TRY(write_file_atomic(config, reflector_config(*topology_), {.sync = false}));
  Command command;
  command.argv = with_rights(bird_rights(), {"bird", "-f", "-c", config, "-s",
                                             directory_ + "/bird.ctl"});
  command.netns_fd = ns_.fd();
  command.output_file = directory_ + "/bird.log";
  bird_ = TRY(Child::start(command));
  return {};
}

Result<void> DataCentreNetwork::attach(const NodeSpec& node,
                                       const netlink::NetNs& node_ns) {
  const DataCentre& plan = topology_->data_centre;
  const std::string port = "port-" + node.name;
  TRY(ip_batch(ns_,
               fmt::format("link add {0} type veth peer name eth0 netns {1}\n"
                           "link set {0} master {2}\nlink set {0} up\n",
                           port, node_ns.path(), kBridge)));
  const Cidr address(node.address, plan.nodes.prefix_len());
  std::string lines = fmt::format(
      "addr add {} dev eth0\nlink set eth0 up\n"
      "route add default via {}\n",
      address.to_string(), plan.switch_address.to_string());
  if (node.address6 && plan.nodes6) {
    lines += fmt::format("addr add {}/{} dev eth0 nodad\n",
                         node.address6->to_string(), plan.nodes6->prefix_len());
  }
  return ip_batch(node_ns, lines);
}

Result<void> DataCentreNetwork::detach(const std::string& node) {
  return ip_batch(ns_, "link del port-" + node + "\n");
}

Result<void> DataCentreNetwork::cut_line(bool cut) {
  // Not by taking the link down: its routes would go with it.
  constexpr std::string_view kNone = "table inet cut\ndelete table inet cut\n";
  std::string script(kNone);
  if (cut) {
    script +=
        "table inet cut {\n"
        "  chain in { type filter hook prerouting priority -400; "
        "iifname line drop; }\n"
        "  chain out { type filter hook postrouting priority -400; "
        "oifname line drop; }\n"
        "}\n";
  }
  return context(nft(ns_, script), "cut or mend the line");
}

Result<void> DataCentreNetwork::silence(const std::string& router,
                                        bool silent) {
  const auto found = routers_.find(router);
  if (found == routers_.end()) {
    return make_error(Code::kInvalidConfig, "the lab has no router {}", router);
  }
  std::string script = "table inet silent\ndelete table inet silent\n";
  if (silent) {
    script +=
        "table inet silent {\n"
        "  chain in { type filter hook prerouting priority -400; drop; }\n"
        "  chain out { type filter hook postrouting priority -400; drop; }\n"
        "}\n";
  }
  return context(nft(found->second.ns(), script), "silence router {}", router);
}

Result<std::string> DataCentreNetwork::birdc(const std::string& command) const {
  Command birdc;
  const std::string socket = routers_.empty()
                                 ? directory_ + "/bird.ctl"
                                 : routers_.begin()->second.control_socket();
  birdc.argv = {"birdc", "-r", "-s", socket, command};
  std::string text = TRY(run_ok(birdc));
  // "BIRD 2.0.12 ready." and "Access restricted" come before the answer.
  for (int greeting = 0; greeting < 2; ++greeting) {
    text.erase(0, std::min(text.find('\n'), text.size() - 1) + 1);
  }
  return text;
}

}  // namespace linsey::lab
