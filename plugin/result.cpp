#include "plugin/result.h"

#include <algorithm>
#include <array>
#include <limits>
#include <span>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/json.h"
#include "conf/lenient.h"

namespace linsey::plugin {
namespace {

using conf::LenientObject;

bool has_halves(Version version) {
  return version <= Version::k020;
}

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

// Known in any of the forms: what one form does not know must not come back
// through `extra` into another that does.
constexpr auto kTopMembers = std::to_array<std::string_view>(
    {"cniVersion", "ip4", "ip6", "interfaces", "ips", "routes", "dns"});
constexpr auto kIpMembers = std::to_array<std::string_view>(
    {"ip", "routes", "version", "address", "gateway", "interface"});
constexpr auto kInterfaceMembers = std::to_array<std::string_view>(
    {"name", "mac", "sandbox", "mtu", "socketPath", "pciID"});
constexpr auto kRouteMembers = std::to_array<std::string_view>(
    {"dst", "gw", "mtu", "advmss", "priority", "table", "scope"});
constexpr auto kDnsMembers = std::to_array<std::string_view>(
    {"nameservers", "domain", "search", "options"});

/// The members of `json` that are none of `known`, as text.
std::string unknown_members(const Json& json,
                            std::span<const std::string_view> known) {
  Json rest = Json::object();
  if (!json.is_object()) return {};
  for (const auto& [key, value] : json.items()) {
    const std::string& name = key;
    const bool is_known = std::ranges::any_of(known, [&](auto word) {
      return std::ranges::equal(word, name, {}, lower, lower);
    });
    if (!is_known) rest[name] = value;
  }
  return rest.empty() ? std::string() : dump_json(rest);
}

void put_extra(Json& json, const std::string& extra) {
  if (extra.empty()) return;
  const Result<Json> members = parse_json(extra);
  if (members) json.update(*members);
}

// --- reading ---------------------------------------------------------------

/// A string member that `parse` turns into a value; nullopt when absent or "".
template <typename T>
Result<std::optional<T>> optional_value(const LenientObject& object,
                                        std::string_view key,
                                        Result<T> (*parse)(std::string_view)) {
  std::string text;
  TRY(object.text(key, text));
  if (text.empty()) return std::optional<T>();
  Result<T> value = parse(text);
  if (!value) {
    return make_error(Code::kDecode, "{}: {}", object.pointer_to(key),
                      value.error().msg);
  }
  return std::optional<T>(std::move(*value));
}

template <typename T>
Result<T> required_value(const LenientObject& object, std::string_view key,
                         Result<T> (*parse)(std::string_view)) {
  std::optional<T> value = TRY(optional_value(object, key, parse));
  if (value) return std::move(*value);
  return make_error(Code::kDecode, "{}: is required", object.pointer_to(key));
}

Result<std::optional<std::uint32_t>> small_number(const LenientObject& object,
                                                  std::string_view key) {
  if (object.raw(key) == nullptr) return std::optional<std::uint32_t>();
  std::uint64_t number = 0;
  TRY(object.number(key, number));
  if (number > std::numeric_limits<std::uint32_t>::max()) {
    return make_error(Code::kDecode, "{}: {} does not fit into 32 bits",
                      object.pointer_to(key), number);
  }
  return std::optional(static_cast<std::uint32_t>(number));
}

/// An index may be negative in the results of old plugins.
Result<std::optional<std::int64_t>> index_in(const LenientObject& object) {
  const Json* value = object.raw("interface");
  if (value == nullptr) return std::optional<std::int64_t>();
  if (!value->is_number_integer()) {
    return make_error(Code::kDecode, "{}: must be a whole number, is {}",
                      object.pointer_to("interface"), value->type_name());
  }
  return std::optional(value->get<std::int64_t>());
}

Result<Interface> read_interface(const LenientObject& object,
                                 const Json& json) {
  Interface interface;
  TRY(object.text("name", interface.name));
  TRY(object.text("mac", interface.mac));
  TRY(object.text("sandbox", interface.sandbox));
  interface.mtu = TRY(small_number(object, "mtu")).value_or(0);
  TRY(object.text("socketPath", interface.socket_path));
  TRY(object.text("pciID", interface.pci_id));
  interface.extra = unknown_members(json, kInterfaceMembers);
  return interface;
}

Result<IpConfig> read_ip(const LenientObject& object, const Json& json) {
  IpConfig ip;
  ip.address = TRY(required_value(object, "address", Cidr::parse));
  ip.gateway = TRY(optional_value(object, "gateway", IpAddr::parse));
  ip.interface = TRY(index_in(object));
  ip.extra = unknown_members(json, kIpMembers);
  return ip;
}

Result<RouteConfig> read_route(const LenientObject& object, const Json& json) {
  RouteConfig route;
  route.dst = TRY(required_value(object, "dst", Cidr::parse));
  route.gateway = TRY(optional_value(object, "gw", IpAddr::parse));
  route.mtu = TRY(small_number(object, "mtu")).value_or(0);
  route.advmss = TRY(small_number(object, "advmss")).value_or(0);
  route.priority = TRY(small_number(object, "priority")).value_or(0);
  route.table = TRY(small_number(object, "table"));
  route.scope = TRY(small_number(object, "scope"));
  route.extra = unknown_members(json, kRouteMembers);
  return route;
}

/// Reads the list of objects under `key` into `target`.
template <typename T>
Result<void> read_list(const LenientObject& root, std::string_view key,
                       std::vector<T>& target,
                       Result<T> (*read)(const LenientObject&, const Json&)) {
  std::size_t index = 0;
  for (const LenientObject& object : TRY(root.objects(key))) {
    target.push_back(TRY(read(object, (*root.raw(key))[index++])));
  }
  return {};
}

Result<Dns> read_dns(const LenientObject& root) {
  Dns dns;
  const LenientObject object = TRY(root.object("dns"));
  TRY(object.texts("nameservers", dns.nameservers));
  TRY(object.text("domain", dns.domain));
  TRY(object.texts("search", dns.search));
  TRY(object.texts("options", dns.options));
  if (const Json* json = root.raw("dns")) {
    dns.extra = unknown_members(*json, kDnsMembers);
  }
  return dns;
}

Result<void> read_half(const LenientObject& root, std::string_view key,
                       CniResult& result) {
  const Json* json = root.raw(key);
  if (json == nullptr) return {};
  const LenientObject half = TRY(root.object(key));
  IpConfig ip;
  ip.address = TRY(required_value(half, "ip", Cidr::parse));
  ip.gateway = TRY(optional_value(half, "gateway", IpAddr::parse));
  ip.extra = unknown_members(*json, kIpMembers);
  result.ips.push_back(std::move(ip));
  return read_list(half, "routes", result.routes, read_route);
}

// --- writing ---------------------------------------------------------------

void put(Json& json, const char* key, const std::string& text) {
  if (!text.empty()) json[key] = text;
}

void put(Json& json, const char* key, const std::vector<std::string>& list) {
  if (!list.empty()) json[key] = list;
}

void put(Json& json, const char* key, std::uint32_t number) {
  if (number != 0) json[key] = number;
}

void put(Json& json, const char* key, const std::optional<IpAddr>& ip) {
  if (ip) json[key] = ip->to_string();
}

Json json_of(const Interface& interface, Version version) {
  Json json = {{"name", interface.name}};
  put(json, "mac", interface.mac);
  put(json, "sandbox", interface.sandbox);
  if (version >= Version::k100) {
    put(json, "mtu", interface.mtu);
    put(json, "socketPath", interface.socket_path);
    put(json, "pciID", interface.pci_id);
  }
  put_extra(json, interface.extra);
  return json;
}

Json json_of(const IpConfig& ip, Version version) {
  Json json = {{"address", ip.address.to_string()}};
  put(json, "gateway", ip.gateway);
  if (ip.interface) json["interface"] = *ip.interface;
  if (version < Version::k100) {
    json["version"] = ip.address.addr().is_v4() ? "4" : "6";
  }
  put_extra(json, ip.extra);
  return json;
}

Json json_of(const RouteConfig& route, Version version) {
  Json json = {{"dst", route.dst.to_string()}};
  put(json, "gw", route.gateway);
  if (!has_halves(version)) {
    put(json, "mtu", route.mtu);
    put(json, "advmss", route.advmss);
    put(json, "priority", route.priority);
    if (route.table) json["table"] = *route.table;
    if (route.scope) json["scope"] = *route.scope;
  }
  put_extra(json, route.extra);
  return json;
}

Json json_of(const Dns& dns) {
  Json json = Json::object();
  put(json, "nameservers", dns.nameservers);
  put(json, "domain", dns.domain);
  put(json, "search", dns.search);
  put(json, "options", dns.options);
  put_extra(json, dns.extra);
  return json;
}

template <typename T>
void put_list(Json& json, const char* key, const std::vector<T>& list,
              Version version) {
  if (list.empty()) return;
  Json& array = json[key] = Json::array();
  for (const T& one : list) {
    array.push_back(json_of(one, version));
  }
}

void put_half(Json& json, const CniResult& result, Family family,
              Version version) {
  const auto of_family = [&](const IpConfig& ip) {
    return ip.address.family() == family;
  };
  const auto ip = std::ranges::find_if(result.ips, of_family);
  if (ip == result.ips.end()) return;
  Json& half = json[family == Family::kV4 ? "ip4" : "ip6"];
  half = {{"ip", ip->address.to_string()}};
  put(half, "gateway", ip->gateway);
  std::vector<RouteConfig> routes;
  std::ranges::copy_if(
      result.routes, std::back_inserter(routes),
      [&](const RouteConfig& route) { return route.dst.family() == family; });
  put_list(half, "routes", routes, version);
  put_extra(half, ip->extra);
}

}  // namespace

Result<CniResult> parse_result(const Json& json, Version version) {
  const LenientObject root =
      TRY(LenientObject::of(&json, "/prevResult", Code::kDecode));
  CniResult result;
  if (has_halves(version)) {
    TRY(read_half(root, "ip4", result));
    TRY(read_half(root, "ip6", result));
  } else {
    TRY(read_list(root, "interfaces", result.interfaces, read_interface));
    TRY(read_list(root, "ips", result.ips, read_ip));
    TRY(read_list(root, "routes", result.routes, read_route));
  }
  result.extra = unknown_members(json, kTopMembers);
  result.dns = TRY(read_dns(root));
  return result;
}

Result<std::string> format_result(const CniResult& result, Version version) {
  Json json = {{"cniVersion", name(version)}};
  if (has_halves(version)) {
    if (result.ips.empty() && !result.interfaces.empty()) {
      return make_error(Code::kUnsupportedField,
                        "a result with interfaces and without an address "
                        "cannot be said in cniVersion {}",
                        name(version));
    }
    put_half(json, result, Family::kV4, version);
    put_half(json, result, Family::kV6, version);
  } else {
    put_list(json, "interfaces", result.interfaces, version);
    put_list(json, "ips", result.ips, version);
    put_list(json, "routes", result.routes, version);
  }
  Json dns = json_of(result.dns);
  if (version < Version::k100 || !dns.empty()) json["dns"] = std::move(dns);
  put_extra(json, result.extra);
  return dump_json(json);
}

Result<void> check_mergeable(const CniResult& previous, Version version) {
  if (!has_halves(version) || previous.ips.empty()) return {};
  return make_error(Code::kUnsupportedField,
                    "prevResult: cniVersion {} cannot hold the addresses of "
                    "two plugins; use 0.3.0 or later",
                    name(version));
}

CniResult merge_results(CniResult previous, const CniResult& ours) {
  const auto offset = static_cast<std::int64_t>(previous.interfaces.size());
  const auto append = [](auto& to, const auto& from) {
    to.insert(to.end(), from.begin(), from.end());
  };
  append(previous.interfaces, ours.interfaces);
  const std::size_t first = previous.ips.size();
  append(previous.ips, ours.ips);
  for (std::size_t i = first; i < previous.ips.size(); ++i) {
    if (previous.ips[i].interface) *previous.ips[i].interface += offset;
  }
  append(previous.routes, ours.routes);
  return previous;
}

}  // namespace linsey::plugin
