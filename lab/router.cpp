#include "lab/router.h"

#include <algorithm>

#include "base/file.h"
#include "lab/process_rights.h"

namespace linsey::lab {
namespace {

struct Ends {
  std::string protocol;
  IpAddr here;
  IpAddr there;
};

std::string session_text(const Topology& topology, const RouterSpec& router,
                         const NodeSpec& node, const Ends& ends) {
  const std::uint32_t theirs =
      node.as_number == 0 ? topology.data_centre.as_number : node.as_number;
  const bool reflects = theirs == router.as_number;
  const Family family = ends.here.family();
  return fmt::format(
      "protocol bgp {0} {{\n"
      "  local {1} as {2};\n  neighbor {3} as {4};\n"
      "  direct;\n{5}"
      "  connect delay time 1;\n  connect retry time 1;\n"
      "  error wait time 1, 4;\n  graceful restart on;\n{6}"
      "  ipv{7} {{\n{8}    import {9};\n"
      "    export where source = RTS_BGP || source = RTS_STATIC;\n  }};\n"
      "}}\n",
      ends.protocol, ends.here.to_string(), router.as_number,
      ends.there.to_string(), theirs, reflects ? "  rr client;\n" : "",
      router.options.empty() ? "" : "  " + router.options + "\n",
      family == Family::kV4 ? 4 : 6, reflects ? "" : "    next hop self;\n",
      import_clause(topology, family, router.longest));
}

std::string kernel_text(Family family) {
  return fmt::format(
      "protocol kernel kernel{0} {{\n"
      "  merge paths on limit 8;\n"
      "  ipv{0} {{ import none; export where source = RTS_BGP; }};\n"
      "}}\n",
      family == Family::kV4 ? 4 : 6);
}

}  // namespace

std::string node_protocol(std::string node) {
  std::ranges::replace(node, '-', '_');
  return "node_" + node;
}

std::string import_clause(const Topology& topology, Family family,
                          unsigned longest) {
  std::string nets;
  for (const Pool& pool : topology.pools) {
    if (pool.cidr.family() != family) continue;
    nets += (nets.empty() ? "" : ", ") + pool.cidr.to_string() + "+";
  }
  if (nets.empty()) return "none";
  const std::string length = longest == 0 || family != Family::kV4
                                 ? ""
                                 : fmt::format(" && net.len <= {}", longest);
  return fmt::format("where net ~ [ {} ]{}", nets, length);
}

std::string router_config(const Topology& topology, const RouterSpec& router) {
  std::string text = fmt::format(
      "log stderr all;\n"
      "router id {};\n"
      "graceful restart wait 20;\n"
      "protocol device {{ scan time 2; }}\n"
      "protocol bfd {{ }}\n",
      router.address.to_string());
  for (const Family family : kFamilies) {
    text += kernel_text(family);
  }
  for (const auto& [name, node] : topology.nodes) {
    if (node.site != Site::kDataCentre) continue;
    text += session_text(topology, router, node,
                         {node_protocol(name), router.address, node.address});
    if (!router.address6 || !node.address6) continue;
    text += session_text(
        topology, router, node,
        {node_protocol(name) + "_6", *router.address6, *node.address6});
  }
  return text;
}

Result<Router> Router::start(const Topology& topology, const RouterSpec& spec,
                             const netlink::NetNs& fabric,
                             const std::string& directory) {
  Router router(TRY(netlink::NetNs::create()), directory);
  TRY(make_directories(directory, 0700));
  TRY(write_sysctls(router.ns_, {{"ipv4/ip_forward", "1"},
                                 {"ipv6/conf/all/forwarding", "1"},
                                 {"ipv4/conf/all/rp_filter", "0"},
                                 {"ipv4/conf/default/rp_filter", "0"},
                                 {"ipv4/conf/all/send_redirects", "0"},
                                 {"ipv4/conf/default/send_redirects", "0"}}));
  const DataCentre& plan = topology.data_centre;
  const std::string port = "router-" + spec.name;
  TRY(ip_batch(fabric,
               fmt::format("link add {0} type veth peer name eth0 netns {1}\n"
                           "link set {0} master fabric\nlink set {0} up\n",
                           port.substr(0, 15), router.ns_.path())));
  std::string lines =
      fmt::format("link set lo up\naddr add {}/{} dev eth0\nlink set eth0 up\n",
                  spec.address.to_string(), plan.nodes.prefix_len());
  if (spec.address6 && plan.nodes6) {
    lines += fmt::format("addr add {}/{} dev eth0 nodad\n",
                         spec.address6->to_string(), plan.nodes6->prefix_len());
  }
  TRY(ip_batch(router.ns_, lines));
  TRY(write_file_atomic(directory + "/bird.conf", router_config(topology, spec),
                        {.sync = false}));
  TRY(router.start_bird());
  return router;
}

Result<void> Router::start_bird() {
  Command command;
  command.argv = with_rights(
      bird_rights(),
      {"bird", "-f", "-c", directory_ + "/bird.conf", "-s", control_socket()});
  command.netns_fd = ns_.fd();
  command.output_file = directory_ + "/bird.log";
  bird_ = TRY(Child::start(command));
  return {};
}

}  // namespace linsey::lab
