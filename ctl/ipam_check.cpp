#include "ctl/ipam_check.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "base/json.h"
#include "base/sha1.h"
#include "datapath/plan.h"
#include "rpc/message.h"

namespace linsey::ctl {
namespace {

std::string text(const ipam::Held& held) {
  const ipam::Pod& pod = held.attachment.pod;
  return pod.name.empty() ? held.attachment.key.container_id
                          : pod.name_space + "/" + pod.name;
}

std::string text(const datapath::OurLink& link) {
  return fmt::format(
      "link {} ({})", link.name,
      link.half_made ? "half made" : link.container_id + ":" + link.ifname);
}

std::string joined(const std::vector<std::string>& list) {
  std::string out;
  for (const std::string& one : list) {
    out += (out.empty() ? "" : "; ") + one;
  }
  return out;
}

Result<std::set<IpAddr>> addresses_at(const Json& json, const char* key) {
  std::set<IpAddr> out;
  for (const Json& one : json.value(key, Json::array())) {
    if (one.is_string()) out.insert(TRY(IpAddr::parse(one.get<std::string>())));
  }
  return out;
}

Result<void> read_supply(const Json& supply, AgentView& view) {
  if (!supply.is_object()) return {};
  view.sessions = !supply.value("sessions", Json::array()).empty();
  for (const Json& one : supply.value("blocks", Json::array())) {
    view.blocks.push_back({.cidr = TRY(Cidr::parse(one.value("cidr", ""))),
                           .announced = one.value("announced", false),
                           .contested = one.value("contested", false),
                           .draining = one.value("state", "") == "draining"});
  }
  for (const Json& one : supply.value("enis", Json::array())) {
    AgentView::Eni& eni = view.enis[one.value("id", "")];
    eni.addresses = TRY(addresses_at(one, "ipv4"));
    eni.addresses.merge(TRY(addresses_at(one, "ipv6")));
    eni.table = one.value("table", 0U);
    eni.usable = one.value("usable", false);
  }
  return {};
}

class Comparison {
 public:
  Comparison(const AgentView& agent, const KernelView& kernel)
      : agent_(agent), kernel_(kernel) {
    for (const ipam::Held& held : agent.held) {
      rows_.emplace(datapath::alias_of(held.attachment.key), &held);
      for (const IpAddr& address : held.allocation.addresses) {
        holders_.emplace(address, &held);
      }
    }
  }

  std::vector<Difference> run() {
    for (const datapath::OurLink& link : kernel_.traces.links) {
      look_at(link);
    }
    for (const ipam::Held& held : agent_.held) {
      look_at(held);
    }
    look_at_rules();
    look_at_blocks();
    look_at_enis();
    return std::move(found_);
  }

 private:
  void look_at(const datapath::OurLink& link) {
    routed_.insert(link.addresses.begin(), link.addresses.end());
    const std::string alias =
        datapath::alias_of({"", link.container_id, link.ifname});
    const auto row = link.half_made ? rows_.end() : rows_.find(alias);
    const bool kept = std::ranges::any_of(
        link.addresses,
        [&](const IpAddr& one) { return agent_.reserved.contains(one); });
    if (row != rows_.end()) {
      linked_.insert(alias);
    } else if (kept) {
      add({.between = "ledger/kernel",
           .kind = "reserved",
           .what = text(link) + " is known by its addresses alone; they are "
                                "kept for it"});
    } else {
      add({.between = "ledger/kernel",
           .kind = link.half_made ? "half-made-link" : "leaked-link",
           .what = text(link) + " belongs to nobody in the ledger",
           .mend = Mend::kRemoveLink,
           .link = link});
    }
    for (const IpAddr& address : link.addresses) {
      const auto holder = holders_.find(address);
      if (holder == holders_.end()) continue;
      if (row != rows_.end() && holder->second == row->second) continue;
      add({.between = "ledger/routes",
           .kind = "wrong-route",
           .what = fmt::format("{} is routed to {}, but held by {}",
                               address.to_string(), text(link),
                               text(*holder->second))});
    }
  }

  void look_at(const ipam::Held& held) {
    const ipam::AttachmentKey& key = held.attachment.key;
    const std::string pod = text(held);
    const bool gone = agent_.pods && !held.attachment.pod.name.empty() &&
                      !agent_.pods->contains(pod);
    const bool linked = linked_.contains(datapath::alias_of(key));
    if (!linked) {
      add({.between = "ledger/kernel",
           .kind = "missing-link",
           .what = fmt::format("{} holds {} and has no link{}", pod,
                               addresses_of(held),
                               gone ? "; the API server has no such pod" : ""),
           .mend = gone ? Mend::kRelease : Mend::kNone,
           .key = key});
    } else if (gone) {
      add({.between = "ledger/API",
           .kind = "unknown-pod",
           .what = fmt::format("{} holds {} and has a link, but the API server "
                               "has no such pod on this node",
                               pod, addresses_of(held))});
    }
    const auto wrong = kernel_.differences.find(key);
    if (wrong == kernel_.differences.end()) return;
    add({.between = "ledger/routes",
         .kind = "host-side",
         .what = fmt::format("{}: {}", pod, joined(wrong->second)),
         .mend = Mend::kRepairHost,
         .key = key});
  }

  static std::string addresses_of(const ipam::Held& held) {
    std::string out;
    for (const IpAddr& address : held.allocation.addresses) {
      out += (out.empty() ? "" : " ") + address.to_string();
    }
    return out;
  }

  void look_at_rules() {
    std::set<IpAddr> seen;
    for (const netlink::Rule& rule : kernel_.traces.rules) {
      const std::optional<Cidr>& pod = rule.to ? rule.to : rule.from;
      if (!pod || pod->prefix_len() != pod->addr().bit_length()) continue;
      const IpAddr& address = pod->addr();
      if (holders_.contains(address) || routed_.contains(address) ||
          !seen.insert(address).second) {
        continue;
      }
      add({.between = "ledger/kernel",
           .kind = "stale-rule",
           .what = fmt::format("rules of {}, which nobody holds",
                               address.to_string()),
           .mend = Mend::kRemoveRules,
           .address = address});
    }
  }

  void look_at_blocks() {
    for (const AgentView::Block& block : agent_.blocks) {
      const std::string cidr = block.cidr.to_string();
      if (block.contested) {
        add({.between = "ledger/API",
             .kind = "contested-block",
             .what = fmt::format("the API server gives block {} to another "
                                 "node",
                                 cidr)});
      }
      if (!kernel_.blackholes.contains(block.cidr)) {
        add({.between = "ledger/routes",
             .kind = "no-blackhole",
             .what = fmt::format("block {} has no blackhole route", cidr)});
      }
      if (agent_.sessions && !block.announced && !block.draining) {
        add({.between = "ledger/routes",
             .kind = "not-announced",
             .what = fmt::format("block {} is announced to no peer", cidr)});
      }
    }
  }

  void look_at_enis() {
    for (const auto& [address, source] : agent_.sources) {
      const auto slash = source.find('/');
      if (!source.starts_with("vsw-") || slash == std::string::npos) continue;
      const auto eni = agent_.enis.find(source.substr(slash + 1));
      if (eni != agent_.enis.end() && eni->second.addresses.contains(address)) {
        continue;
      }
      const auto holder = holders_.find(address);
      add({.between = "ledger/cloud",
           .kind = "not-in-cloud",
           .what = fmt::format("{} of {} is not there in the cloud{}",
                               address.to_string(), source,
                               holder == holders_.end()
                                   ? ""
                                   : "; " + text(*holder->second) +
                                         " holds it and is cut off")});
    }
    for (const auto& [id, eni] : agent_.enis) {
      if (!eni.usable) continue;
      if (!kernel_.tables.contains(eni.table)) {
        add({.between = "ledger/routes",
             .kind = "no-eni-route",
             .what = fmt::format("table {} of ENI {} has no default route",
                                 eni.table, id)});
      }
      for (const IpAddr& address : eni.addresses) {
        if (agent_.sources.contains(address)) continue;
        add({.between = "ledger/cloud",
             .kind = "not-in-ledger",
             .what = fmt::format("{} of ENI {} is not in the ledger",
                                 address.to_string(), id)});
      }
    }
  }

  void add(Difference difference) { found_.push_back(std::move(difference)); }

  const AgentView& agent_;
  const KernelView& kernel_;
  std::map<std::string, const ipam::Held*> rows_;  // by alias
  std::map<IpAddr, const ipam::Held*> holders_;
  std::set<std::string> linked_;
  std::set<IpAddr> routed_;
  std::vector<Difference> found_;
};

}  // namespace

Result<AgentView> parse_agent_view(const Json& ipam, const Json& pods) {
  AgentView view;
  if (!ipam.is_object()) return make_error(Code::kDecode, "no ledger");
  for (const Json& one : ipam.value("attachments", Json::array())) {
    view.held.push_back(TRY(rpc::parse_held(dump_json(one))));
  }
  for (const Json& one : ipam.value("addresses", Json::array())) {
    const IpAddr address = TRY(IpAddr::parse(one.value("address", "")));
    view.sources[address] = one.value("source", "");
    if (one.value("state", "") == "reserved") view.reserved.insert(address);
  }
  TRY(read_supply(ipam.value("supply", Json(nullptr)), view));
  if (pods.is_array()) {
    view.pods.emplace();
    for (const Json& one : pods) {
      if (one.is_string()) view.pods->insert(one.get<std::string>());
    }
  }
  return view;
}

std::string action_of(const Difference& difference) {
  switch (difference.mend) {
    case Mend::kRemoveLink:
      return fmt::format("remove {}, index {}", text(*difference.link),
                         difference.link->index);
    case Mend::kRemoveRules:
      return fmt::format("remove the rules of {}",
                         difference.address->to_string());
    case Mend::kRepairHost:
      return fmt::format("repair the host's side of {}/{}: {}",
                         difference.key.container_id, difference.key.ifname,
                         difference.what);
    case Mend::kRelease:
      return fmt::format("release what {}/{} of network {} holds",
                         difference.key.container_id, difference.key.ifname,
                         difference.key.network);
    default:
      return "";
  }
}

std::vector<Difference> compare(const AgentView& agent,
                                const KernelView& kernel) {
  return Comparison(agent, kernel).run();
}

std::vector<Difference> both(const std::vector<Difference>& first,
                             const std::vector<Difference>& second) {
  std::set<std::string> seen;
  for (const Difference& one : first) {
    seen.insert(one.kind + " " + one.what);
  }
  std::vector<Difference> out;
  for (const Difference& one : second) {
    if (seen.contains(one.kind + " " + one.what)) out.push_back(one);
  }
  return out;
}

std::string plan_hash(const std::vector<Difference>& differences) {
  std::set<std::string> actions;
  for (const Difference& one : differences) {
    if (one.mend != Mend::kNone) actions.insert(action_of(one));
  }
  if (actions.empty()) return "";
  std::string all;
  for (const std::string& action : actions) {
    all += action + "\n";
  }
  return sha1_hex(all).substr(0, 12);
}

}  // namespace linsey::ctl
