#include "bench/contenders.h"

#include <utility>

#include <nlohmann/json.hpp>

#include "base/ip.h"
#include "base/json.h"

namespace linsey::bench {
namespace {

struct Plugin {
  std::string directory;
  Json config;
};

Launch call(const Plugin& plugin, const char* verb, const BenchPod& pod,
            const std::string& added) {
  Json config = plugin.config;
  const Result<Json> previous = parse_json(added);
  if (previous) config["prevResult"] = *previous;
  Launch launch;
  launch.argv = {plugin.directory + "/" +
                 plugin.config["type"].get<std::string>()};
  launch.env = {
      {"CNI_COMMAND", verb},
      {"CNI_CONTAINERID", pod.id},
      {"CNI_NETNS", pod.netns.path()},
      {"CNI_IFNAME", "eth0"},
      {"CNI_PATH", plugin.directory},
      {"CNI_ARGS", fmt::format("IgnoreUnknown=1;K8S_POD_NAMESPACE=bench;"
                               "K8S_POD_NAME={0};K8S_POD_INFRA_CONTAINER_ID={0}"
                               ";K8S_POD_UID=",
                               pod.id)}};
  launch.input = dump_json(config);
  return launch;
}

/// The first address of a CNI result, without its length.
std::string first_address(const std::string& added) {
  const Result<Json> result = parse_json(added);
  const Json::json_pointer where("/ips/0/address");
  if (!result || !result->contains(where)) return "";
  const std::string text = result->at(where).get<std::string>();
  return text.substr(0, text.find('/'));
}

Contender of_plugin(std::string name, std::string what, const Plugin& plugin) {
  Contender contender;
  contender.name = std::move(name);
  contender.what = std::move(what);
  contender.add = [plugin](const BenchPod& pod) {
    return call(plugin, "ADD", pod, "");
  };
  contender.del = [plugin](const BenchPod& pod, const std::string& added) {
    return call(plugin, "DEL", pod, added);
  };
  contender.check = [plugin](const BenchPod& pod, const std::string& added) {
    return call(plugin, "CHECK", pod, added);
  };
  contender.address = [](const BenchPod&, const std::string& added) {
    return first_address(added);
  };
  return contender;
}

std::vector<Launch> launches_of(
    const std::function<Launch(const BenchPod&, const std::string&)>& launch,
    const std::vector<BenchPod>& pods, const Series& added) {
  std::vector<Launch> launches;
  launches.reserve(pods.size());
  for (std::size_t i = 0; i < pods.size(); ++i) {
    launches.push_back(launch(pods[i], added.runs[i].out));
  }
  return launches;
}

std::string host_link(const BenchPod& pod) {
  return fmt::format("floor{}", pod.number);
}

/// 10.200.0.0/16 is nobody else's here.
std::string floor_address(const BenchPod& pod) {
  const std::uint32_t base = (10U << 24U) | (200U << 16U);
  return IpAddr::v4(base + 1 + pod.number % 65000).to_string();
}

}  // namespace

Contender linsey(const Places& places) {
  return of_plugin("linsey", "Linsey",
                   {places.linsey,
                    {{"cniVersion", "1.0.0"},
                     {"name", "bench"},
                     {"type", "linsey"},
                     {"agentSocket", places.socket},
                     {"notesDir", places.notes}}});
}

Contender reference(const Places& places) {
  const Json ipam = {{"type", "host-local"},
                     {"dataDir", places.scratch},
                     {"ranges", {{{{"subnet", "10.201.0.0/16"}}}}},
                     {"routes", {{{"dst", "0.0.0.0/0"}}}}};
  return of_plugin("ptp", "ptp + host-local",
                   {places.cni,
                    {{"cniVersion", "1.0.0"},
                     {"name", "bench-ptp"},
                     {"type", "ptp"},
                     {"ipam", ipam}}});
}

Contender floor_of(const Places& places) {
  Contender contender;
  contender.name = "floor";
  contender.what = "kernel work alone";
  contender.add = [places](const BenchPod& pod) {
    return Launch{{places.floor, "add", pod.netns.path(), host_link(pod),
                   floor_address(pod)},
                  {},
                  ""};
  };
  contender.del = [places](const BenchPod& pod, const std::string&) {
    return Launch{{places.floor, "del", host_link(pod)}, {}, ""};
  };
  contender.address = [](const BenchPod& pod, const std::string&) {
    return floor_address(pod);
  };
  return contender;
}

Result<std::vector<BenchPod>> make_pods(unsigned count) {
  static unsigned next = 0;
  std::vector<BenchPod> pods;
  for (unsigned i = 0; i < count; ++i) {
    const unsigned number = next++;
    pods.push_back({TRY(netlink::NetNs::create()),
                    fmt::format("bench{:059x}", number), number});
  }
  return pods;
}

std::vector<Launch> adds_of(const Contender& contender,
                            const std::vector<BenchPod>& pods) {
  std::vector<Launch> launches;
  launches.reserve(pods.size());
  for (const BenchPod& pod : pods) {
    launches.push_back(contender.add(pod));
  }
  return launches;
}

std::vector<Launch> dels_of(const Contender& contender,
                            const std::vector<BenchPod>& pods,
                            const Series& added) {
  return launches_of(contender.del, pods, added);
}

std::vector<Launch> checks_of(const Contender& contender,
                              const std::vector<BenchPod>& pods,
                              const Series& added) {
  return launches_of(contender.check, pods, added);
}

Launch version_of(const std::string& plugin) {
  return {{plugin}, {{"CNI_COMMAND", "VERSION"}}, ""};
}

}  // namespace linsey::bench
