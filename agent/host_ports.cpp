#include "agent/host_ports.h"

#include <set>
#include <utility>

#include "datapath/plan.h"

namespace linsey::agent {
namespace {

constexpr std::string_view kTable = "inet linsey_hostports";

std::string_view family_word(const IpAddr& address) {
  return address.is_v4() ? "ip" : "ip6";
}

std::vector<OpenPort> ports_of(const ipam::Held& held) {
  std::vector<OpenPort> ports;
  const ipam::Attachment& attachment = held.attachment;
  for (const ipam::PortMapping& mapping : attachment.port_mappings) {
    if (mapping.host_port == 0) continue;
    for (const IpAddr& pod : held.allocation.addresses) {
      if (mapping.host_ip && mapping.host_ip->family() != pod.family()) {
        continue;
      }
      OpenPort port{mapping, pod,
                    datapath::host_link_name(attachment.key, attachment.pod)};
      if (mapping.host_ip && mapping.host_ip->is_unspecified()) {
        port.mapping.host_ip.reset();
      }
      ports.push_back(std::move(port));
    }
  }
  return ports;
}

/// Do two ports want the same packets?
bool collide(const OpenPort& a, const OpenPort& b) {
  return a.pod.family() == b.pod.family() &&
         a.mapping.host_port == b.mapping.host_port &&
         a.mapping.protocol == b.mapping.protocol &&
         (!a.mapping.host_ip || !b.mapping.host_ip ||
          *a.mapping.host_ip == *b.mapping.host_ip);
}

std::string dnat_rule(const OpenPort& port) {
  const ipam::PortMapping& mapping = port.mapping;
  const std::string_view family = family_word(port.pod);
  const std::string where =
      mapping.host_ip
          ? fmt::format("{} daddr {}", family, mapping.host_ip->to_string())
          : fmt::format("meta nfproto {}", port.pod.is_v4() ? "ipv4" : "ipv6");
  const std::string target = port.pod.is_v4()
                                 ? port.pod.to_string()
                                 : fmt::format("[{}]", port.pod.to_string());
  return fmt::format("    {} {} dport {} dnat {} to {}:{}\n", where,
                     mapping.protocol, mapping.host_port, family, target,
                     mapping.container_port);
}

/// The pod's own calls to its host port.
std::string masquerade_rule(const OpenPort& port) {
  const std::string_view family = family_word(port.pod);
  const std::string pod = port.pod.to_string();
  return fmt::format(
      "    ct status dnat {0} saddr {1} {0} daddr {1} "
      "masquerade\n",
      family, pod);
}

}  // namespace

std::string host_port_script(const std::vector<OpenPort>& open) {
  // Made first, so that it can be deleted whether it was there or not.
  std::string script =
      fmt::format("table {} {{}}\ndelete table {}\n", kTable, kTable);
  if (open.empty()) return script;
  std::string dnat;
  // A hostIP is narrower than every address, so it comes first.
  for (const bool narrow : {true, false}) {
    for (const OpenPort& port : open) {
      if (port.mapping.host_ip.has_value() == narrow) dnat += dnat_rule(port);
    }
  }
  std::set<std::string> masquerades;
  std::set<std::string> links;
  for (const OpenPort& port : open) {
    masquerades.insert(masquerade_rule(port));
    if (port.pod.is_v4()) {
      // route_localnet lets the node call its 127.0.0.1; not the pod.
      links.insert(fmt::format("    iifname \"{}\" ip daddr 127.0.0.0/8 drop\n",
                               port.link));
    }
  }
  const auto joined = [](const std::set<std::string>& lines) {
    std::string out;
    for (const std::string& line : lines) {
      out += line;
    }
    return out;
  };
  return script +
         fmt::format(
             "table {} {{\n"
             "  chain to_pods {{\n{}  }}\n"
             "  chain guard {{\n"
             "    type filter hook prerouting priority raw\n{}  }}\n"
             "  chain from_outside {{\n"
             "    type nat hook prerouting priority dstnat\n"
             "    fib daddr type local jump to_pods\n  }}\n"
             "  chain from_node {{\n"
             "    type nat hook output priority -100\n"
             "    fib daddr type local jump to_pods\n  }}\n"
             "  chain sources {{\n"
             "    type nat hook postrouting priority srcnat\n"
             "    ct status dnat ip saddr 127.0.0.0/8 masquerade\n{}  }}\n"
             "}}\n",
             kTable, dnat, joined(links), joined(masquerades));
}

HostPorts::HostPorts(std::function<Result<void>(const std::string&)> run)
    : run_(std::move(run)) {}

Result<void> HostPorts::check(const ipam::AttachmentKey& key,
                              const std::vector<OpenPort>& ports) const {
  for (const auto& [other, theirs] : open_) {
    if (other == key) continue;
    for (const OpenPort& wanted : ports) {
      for (const OpenPort& taken : theirs) {
        if (!collide(wanted, taken)) continue;
        return make_error(Code::kHostPortTaken,
                          "host port {}/{} is held by {}/{}",
                          wanted.mapping.host_port, wanted.mapping.protocol,
                          other.container_id, other.ifname);
      }
    }
  }
  return {};
}

Result<void> HostPorts::apply(const Open& open) const {
  std::vector<OpenPort> all;
  for (const auto& [key, ports] : open) {
    all.insert(all.end(), ports.begin(), ports.end());
  }
  return run_(host_port_script(all));
}

Result<void> HostPorts::restore(
    const std::map<ipam::AttachmentKey, ipam::Held>& held) {
  Open open;
  for (const auto& [key, row] : held) {
    std::vector<OpenPort> ports = ports_of(row);
    if (!ports.empty()) open.emplace(key, std::move(ports));
  }
  open_ = std::move(open);
  return context(apply(open_), "restore host ports");
}

Result<void> HostPorts::open(const ipam::Held& held) {
  const ipam::AttachmentKey& key = held.attachment.key;
  const std::vector<OpenPort> ports = ports_of(held);
  if (ports.empty()) return {};
  TRY(check(key, ports));
  Open next = open_;
  next.insert_or_assign(key, ports);
  TRY(context(apply(next), "open the host ports of {}/{}", key.container_id,
              key.ifname));
  open_ = std::move(next);
  return {};
}

Result<void> HostPorts::close(const ipam::AttachmentKey& key) {
  if (!open_.contains(key)) return {};
  Open next = open_;
  next.erase(key);
  TRY(context(apply(next), "close the host ports of {}/{}", key.container_id,
              key.ifname));
  open_ = std::move(next);
  return {};
}

std::size_t HostPorts::count() const {
  std::size_t count = 0;
  for (const auto& [key, ports] : open_) {
    count += ports.size();
  }
  return count;
}

}  // namespace linsey::agent
