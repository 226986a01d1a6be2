#include "ipam/codec.h"

#include <limits>

#include <nlohmann/json.hpp>

#include "base/json.h"

namespace linsey::ipam {
namespace {

constexpr auto kCode = Code::kStateCorrupt;
constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();

template <typename T>
Json texts(const std::vector<T>& values) {
  Json list = Json::array();
  for (const T& value : values) {
    list.push_back(value.to_string());
  }
  return list;
}

Json encode(const PortMapping& mapping) {
  Json json{{"hostPort", mapping.host_port},
            {"containerPort", mapping.container_port},
            {"protocol", mapping.protocol}};
  if (mapping.host_ip) json["hostIP"] = mapping.host_ip->to_string();
  return json;
}

Json encode(const Attachment& attachment) {
  Json json{{"network", attachment.key.network},
            {"containerID", attachment.key.container_id},
            {"ifname", attachment.key.ifname},
            {"podNamespace", attachment.pod.name_space},
            {"podName", attachment.pod.name},
            {"podUID", attachment.pod.uid},
            {"netns", attachment.netns},
            {"wantedIPs", texts(attachment.wanted_ips)}};
  if (attachment.wanted_mac) json["mac"] = attachment.wanted_mac->to_string();
  if (attachment.wanted_mtu) json["mtu"] = *attachment.wanted_mtu;
  const Bandwidth& bandwidth = attachment.bandwidth;
  if (!(bandwidth == Bandwidth{})) {
    json["bandwidth"] = {{"ingressRate", bandwidth.ingress_rate},
                         {"ingressBurst", bandwidth.ingress_burst},
                         {"egressRate", bandwidth.egress_rate},
                         {"egressBurst", bandwidth.egress_burst}};
  }
  for (const PortMapping& mapping : attachment.port_mappings) {
    json["portMappings"].push_back(encode(mapping));
  }
  return json;
}

Json encode(const Allocation& allocation) {
  Json json{{"addresses", texts(allocation.addresses)},
            {"nodeAddresses", texts(allocation.node_addresses)},
            {"mtu", allocation.mtu},
            {"source", allocation.source}};
  if (const auto& eni = allocation.eni) {
    json["eni"] = {{"id", eni->eni_id},
                   {"table", eni->table},
                   {"toPodPriority", eni->to_pod_priority},
                   {"fromPodPriority", eni->from_pod_priority}};
  }
  return json;
}

void read(ObjectReader& reader, std::string_view key, std::uint64_t& target) {
  reader.get_int(key, target, 0, kMax);
}

void read_mapping(ObjectReader& reader, PortMapping& mapping) {
  reader.get_int("hostPort", mapping.host_port, 0, 65535);
  reader.get_int("containerPort", mapping.container_port, 0, 65535);
  reader.get("protocol", mapping.protocol);
  IpAddr address;
  reader.get_parsed("hostIP", address, &IpAddr::parse);
  if (reader.has("hostIP")) mapping.host_ip = address;
}

void read_attachment(ObjectReader& reader, Attachment& attachment) {
  reader.require("network");
  reader.require("containerID");
  reader.require("ifname");
  reader.get("network", attachment.key.network);
  reader.get("containerID", attachment.key.container_id);
  reader.get("ifname", attachment.key.ifname);
  reader.get("podNamespace", attachment.pod.name_space);
  reader.get("podName", attachment.pod.name);
  reader.get("podUID", attachment.pod.uid);
  reader.get("netns", attachment.netns);
  reader.get_parsed_list("wantedIPs", attachment.wanted_ips, &IpAddr::parse);
  Mac mac;
  reader.get_parsed("mac", mac, &Mac::parse);
  if (reader.has("mac")) attachment.wanted_mac = mac;
  std::uint32_t mtu = 0;
  reader.get_int("mtu", mtu, 0, 1 << 20);
  if (reader.has("mtu")) attachment.wanted_mtu = mtu;
  reader.object("bandwidth", [&](ObjectReader& child) {
    read(child, "ingressRate", attachment.bandwidth.ingress_rate);
    read(child, "ingressBurst", attachment.bandwidth.ingress_burst);
    read(child, "egressRate", attachment.bandwidth.egress_rate);
    read(child, "egressBurst", attachment.bandwidth.egress_burst);
  });
  reader.each("portMappings", [&](ObjectReader& child) {
    read_mapping(child, attachment.port_mappings.emplace_back());
  });
}

void read_allocation(ObjectReader& reader, Allocation& allocation) {
  constexpr std::int64_t kMaxWord = std::numeric_limits<std::uint32_t>::max();
  reader.require("addresses");
  reader.get_parsed_list("addresses", allocation.addresses, &IpAddr::parse);
  reader.get_parsed_list("nodeAddresses", allocation.node_addresses,
                         &IpAddr::parse);
  reader.get_int("mtu", allocation.mtu, 0, kMaxWord);
  reader.get("source", allocation.source);
  reader.object("eni", [&](ObjectReader& child) {
    EniPath& eni = allocation.eni.emplace();
    child.get("id", eni.eni_id);
    child.get_int("table", eni.table, 0, kMaxWord);
    child.get_int("toPodPriority", eni.to_pod_priority, 0, kMaxWord);
    child.get_int("fromPodPriority", eni.from_pod_priority, 0, kMaxWord);
  });
}

}  // namespace

std::string encode(const Held& held) {
  return dump_json(Json{{"attachment", encode(held.attachment)},
                        {"allocation", encode(held.allocation)}});
}

Result<Held> decode(std::string_view document) {
  Result<Json> json = parse_json(document);
  if (!json) return Error{kCode, json.error().msg, json.error().details};
  if (!json->is_object()) return make_error(kCode, "is no JSON object");
  Held held;
  ObjectReader reader(&*json, "", kCode);
  reader.ignore_unknown();
  reader.require("attachment");
  reader.require("allocation");
  reader.object("attachment", [&](ObjectReader& child) {
    read_attachment(child, held.attachment);
  });
  reader.object("allocation", [&](ObjectReader& child) {
    read_allocation(child, held.allocation);
  });
  TRY(reader.finish());
  return held;
}

}  // namespace linsey::ipam
