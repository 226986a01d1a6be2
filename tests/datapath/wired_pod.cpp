#include "tests/datapath/wired_pod.h"

namespace linsey::tests {

ipam::Attachment attachment_of(const std::string& ifname) {
  ipam::Attachment attachment;
  attachment.key = {"linsey", "c1", ifname};
  attachment.pod = {"shop", "web-0", "uid-1"};
  return attachment;
}

ipam::Allocation dual_stack() {
  ipam::Allocation allocation;
  allocation.addresses = {must(IpAddr::parse(kPod4)),
                          must(IpAddr::parse(kPod6))};
  allocation.node_addresses = {must(IpAddr::parse(kNode4)),
                               must(IpAddr::parse(kNode6))};
  allocation.mtu = 1450;
  allocation.source = "10.64.0.0/26";
  return allocation;
}

ipam::Allocation on_eni() {
  ipam::Allocation allocation = dual_stack();
  allocation.eni = ipam::EniPath{.eni_id = "eni-1", .table = 1003};
  return allocation;
}

void WiredTest::SetUp() {
  NetnsTest::SetUp();
  if (IsSkipped()) return;
  sh(*host, fmt::format("ip link add uplink type ifb && ip link set uplink up "
                        "&& ip addr add {}/24 dev uplink && "
                        "ip addr add {}/64 dev uplink nodad",
                        kNode4, kNode6));
}

Result<datapath::Wired> WiredTest::wire(const datapath::Plan& plan,
                                        const netlink::NetNs& into, bool keep) {
  std::optional<datapath::Wired> wired;
  TRY(host->run([&]() -> Result<void> {
    Rollback undo;
    wired = TRY(datapath::wire(plan, into, undo));
    if (keep) undo.commit();
    return {};
  }));
  return *std::move(wired);
}

std::vector<std::string> WiredTest::differences(const datapath::Plan& plan) {
  std::vector<std::string> found;
  in_host([&] { found = must(datapath::verify(plan, *pod)); });
  return found;
}

datapath::Traces WiredTest::ours() {
  datapath::Traces traces;
  in_host([&] { traces = must(datapath::find_ours()); });
  return traces;
}

std::string WiredTest::host_state() {
  return sh(*host,
            "ip -br link; { ip route show table all; ip -6 route show table "
            "all; } | grep -v \"table local\";"
            "ip rule; ip -6 rule; ip neigh show nud permanent;"
            "ip -6 neigh show nud permanent; tc qdisc");
}

}  // namespace linsey::tests
