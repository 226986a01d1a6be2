// The text form of a plan: what a reviewer of a golden file reads.
#include "datapath/plan.h"

namespace linsey::datapath {
namespace {

using netlink::Desired;

std::string text_of(const netlink::Route& route) {
  std::string text = "route " + route.dst.to_string();
  if (route.gateway) text += " via " + route.gateway->to_string();
  if (route.src) text += " src " + route.src->to_string();
  if (route.scope == netlink::Scope::kLink) text += " scope link";
  if (route.onlink) text += " onlink";
  if (route.priority != 0) text += fmt::format(" metric {}", route.priority);
  if (route.table != netlink::kMainTable) {
    text += fmt::format(" table {}", route.table);
  }
  return text;
}

std::string text_of(const netlink::Rule& rule) {
  std::string text = fmt::format("rule {}:", rule.priority);
  if (rule.from) text += " from " + rule.from->to_string();
  if (rule.to) text += " to " + rule.to->to_string();
  return text + (rule.table == netlink::kMainTable
                     ? " lookup main"
                     : fmt::format(" lookup {}", rule.table));
}

void add_side(std::string& text, std::string_view side, const Desired& want) {
  const auto line = [&](const std::string& fact) {
    text += fmt::format("{} {}\n", side, fact);
  };
  line(fmt::format("link {} mac {} mtu {}", want.name, want.mac.to_string(),
                   want.mtu));
  if (!want.alias.empty()) line("alias " + want.alias);
  if (want.strict_reverse_path) line("rp_filter 1");
  if (want.ipv4_forwarding) line("ipv4 forwarding 1");
  if (want.route_localnet) line("route_localnet 1");
  if (want.manual_link_local) line("ipv6 addr_gen_mode none");
  for (const auto& address : want.addresses) {
    line("address " + address.cidr.to_string() +
         (address.no_prefix_route ? " noprefixroute" : ""));
  }
  for (const auto& neighbor : want.neighbors) {
    line(fmt::format("neighbour {} {} permanent", neighbor.addr.to_string(),
                     neighbor.mac.to_string()));
  }
  for (const auto& route : want.routes)
    line(text_of(route));
  for (const auto& rule : want.rules)
    line(text_of(rule));
}

std::string text_of(const netlink::Tbf& tbf) {
  return fmt::format("rate {} B/s burst {} B limit {} B", tbf.rate, tbf.burst,
                     tbf.limit);
}

}  // namespace

std::string to_text(const Plan& plan) {
  std::string text = fmt::format("attachment {}/{}/{}\n", plan.key.network,
                                 plan.key.container_id, plan.key.ifname);
  add_side(text, "pod", plan.pod);
  add_side(text, "host", plan.host);
  const Shaping& shaping = plan.shaping;
  if (shaping.to_pod) text += "shape to pod " + text_of(*shaping.to_pod) + "\n";
  if (shaping.from_pod) {
    text += fmt::format("shape from pod {} through {}\n",
                        text_of(*shaping.from_pod), shaping.ifb_name);
  }
  return text;
}

}  // namespace linsey::datapath
