// The CNI result in all seven versions, read and written.
//
// One form in memory, the newest; what a version cannot say is left out when
// it is written, by the reference library's rules of conversion:
//   0.1, 0.2    ip4 and ip6, the first address of each family; a route goes to
//               the half of its family as dst and gw; no interfaces
//   0.3 to 0.4  ips with "version", interfaces without mtu, socketPath, pciID
//   1.0, 1.1    everything; an empty dns is not printed
// Lossless within a version: members that we do not know are carried along as
// text (`extra`), since a plugin before us in the chain put them there. The
// reference drops them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "base/ip.h"
#include "base/result.h"
#include "plugin/version.h"

namespace linsey::plugin {

struct Interface {
  std::string name;
  std::string mac;
  std::string sandbox;  // empty: on the host
  std::uint32_t mtu = 0;
  std::string socket_path;
  std::string pci_id;
  std::string extra;  // JSON object of unknown members, or empty

  bool operator==(const Interface&) const = default;
};

struct IpConfig {
  Cidr address;
  std::optional<IpAddr> gateway;
  std::optional<std::int64_t> interface;  // index, unchecked
  std::string extra;

  bool operator==(const IpConfig&) const = default;
};

struct RouteConfig {
  Cidr dst;
  std::optional<IpAddr> gateway;
  std::uint32_t mtu = 0;
  std::uint32_t advmss = 0;
  std::uint32_t priority = 0;
  std::optional<std::uint32_t> table;
  std::optional<std::uint32_t> scope;  // 0 (global) is not the same as absent
  std::string extra;

  bool operator==(const RouteConfig&) const = default;
};

struct Dns {
  std::vector<std::string> nameservers;
  std::string domain;
  std::vector<std::string> search;
  std::vector<std::string> options;
  std::string extra;

  bool operator==(const Dns&) const = default;
};

struct CniResult {
  std::vector<Interface> interfaces;
  std::vector<IpConfig> ips;
  std::vector<RouteConfig> routes;
  Dns dns;
  std::string extra;

  bool operator==(const CniResult&) const = default;
};

/// Reads a result in the form of `version`; a version written inside it is not
/// looked at, as the reference does. Keys match without regard to case.
/// Errors: kDecode with a JSON pointer.
Result<CniResult> parse_result(const nlohmann::json& json, Version version);

/// One JSON document. Errors: kUnsupportedField when there is no address and
/// the version is below 0.3.0, which cannot say that.
Result<std::string> format_result(const CniResult& result, Version version);

/// Can another plugin's result stand behind `previous`? Errors:
/// kUnsupportedField below 0.3.0, whose form would lose one of the two.
Result<void> check_mergeable(const CniResult& previous, Version version);

/// What a plugin made, behind what the ones before it made: interfaces, ips
/// (their indices moved) and routes are appended.
CniResult merge_results(CniResult previous, const CniResult& ours);

}  // namespace linsey::plugin
