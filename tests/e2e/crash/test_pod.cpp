#include "tests/e2e/crash/test_pod.h"

#include <utility>

#include <nlohmann/json.hpp>

#include "base/json.h"
#include "netlink/socket.h"
#include "tests/support/golden.h"
#include "tests/support/netns.h"

namespace linsey::tests {

TestPod::TestPod(const netlink::NetNs& host, const AgentProcess& agent,
                 std::string id)
    : host_(host),
      agent_(agent),
      id_(std::move(id)),
      ns_(must(netlink::NetNs::create())) {}

Finished TestPod::call(const std::string& verb,
                       const std::string& crash_at) const {
  Command command;
  command.argv = {build_dir() + "/plugin/linsey"};
  command.env = {
      {"CNI_COMMAND", verb},
      {"CNI_CONTAINERID", id_},
      {"CNI_NETNS", ns_.path()},
      {"CNI_IFNAME", "eth0"},
      {"CNI_PATH", build_dir() + "/plugin"},
      {"CNI_ARGS", "K8S_POD_NAMESPACE=d;K8S_POD_NAME=" + id_},
      {"LINSEY_CRASH_AT", crash_at},
  };
  command.stdin_data = dump_json({{"cniVersion", "1.0.0"},
                                  {"name", "crash"},
                                  {"type", "linsey"},
                                  {"agentSocket", agent_.socket()},
                                  {"notesDir", agent_.notes_dir()}});
  command.netns_fd = host_.fd();
  command.timeout = std::chrono::seconds(60);
  return must(run(command));
}

std::set<IpAddr> TestPod::addresses() const {
  netlink::Socket socket = must(netlink::Socket::open_in(ns_));
  std::set<IpAddr> out;
  for (const netlink::Address& address : must(socket.addresses())) {
    const IpAddr& ip = address.cidr.addr();
    if (!ip.is_loopback() && !ip.is_link_local()) out.insert(ip);
  }
  return out;
}

}  // namespace linsey::tests
