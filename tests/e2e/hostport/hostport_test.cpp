// hostPort by traffic: the real plugin and agent, a server in the pod, clients
// outside, on the node and in the pod itself.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/json.h"
#include "base/process.h"
#include "tests/support/agent_process.h"
#include "tests/support/eventually.h"
#include "tests/support/golden.h"
#include "tests/support/netns.h"
#include "tests/support/temp_dir.h"

namespace linsey {
namespace {

using ::testing::HasSubstr;
using tests::AgentProcess;
using tests::must;

/// Answers every TCP connection and every datagram with the peer's address.
constexpr const char* kServer = R"(
import select, socket
socks = []
for family, any in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
    t = socket.socket(family, socket.SOCK_STREAM)
    t.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    u = socket.socket(family, socket.SOCK_DGRAM)
    if family == socket.AF_INET6:
        for s in (t, u): s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    t.bind((any, 80)); t.listen(16); u.bind((any, 53))
    socks += [t, u]
print("up", flush=True)
while True:
    for s in select.select(socks, [], [])[0]:
        if s.type == socket.SOCK_STREAM:
            c, peer = s.accept(); c.sendall(peer[0].encode()); c.close()
        else:
            _, peer = s.recvfrom(100); s.sendto(peer[0].encode(), peer)
)";

/// Prints who the server saw, or "none" after two seconds.
constexpr const char* kClient = R"(
import socket, sys
kind, host, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
family = socket.AF_INET6 if ":" in host else socket.AF_INET
s = socket.socket(family, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)
s.settimeout(2)
try:
    s.connect((host, port))
    if kind == "udp": s.send(b"x")
    print(s.recv(100).decode() or "none")
except OSError:
    print("none")
)";

struct HostPort : tests::NetnsTest {
  void SetUp() override {
    NetnsTest::SetUp();
    if (IsSkipped()) return;
    agent = std::make_unique<AgentProcess>(
        *host,
        tests::AgentOptions{.blocks = {"10.64.0.0/28", "fd00:64::/124"}});
    agent->start();
    // The other end of the uplink is a machine beside the node.
    outside = must(netlink::NetNs::create());
    netlink::Socket socket = must(netlink::Socket::open_in(*host));
    must(socket.run(
        netlink::Batch().set_link("up1", {.netns_fd = outside->fd()})));
    sh(*outside,
       "ip link set lo up; ip link set up1 up; ip addr add 10.0.1.99/24 dev "
       "up1; ip -6 addr add fd00:1::99/64 dev up1 nodad;"
       "ip route add 10.64.0.0/16 via 10.0.1.11;"
       "ip -6 route add fd00:64::/64 via fd00:1::11");
    sh(*host,
       "sysctl -qw net.ipv6.conf.all.forwarding=1 "
       "net.ipv4.conf.up0.forwarding=1");
  }

  Finished call(const std::string& verb, const std::string& id,
                const Json& mappings) const {
    Command command;
    command.argv = {tests::build_dir() + "/plugin/linsey"};
    command.env = {{"CNI_COMMAND", verb},
                   {"CNI_CONTAINERID", id},
                   {"CNI_NETNS", pod->path()},
                   {"CNI_IFNAME", "eth0"},
                   {"CNI_PATH", tests::build_dir() + "/plugin"},
                   {"CNI_ARGS", "K8S_POD_NAMESPACE=d;K8S_POD_NAME=" + id}};
    command.stdin_data =
        dump_json({{"cniVersion", "1.0.0"},
                   {"name", "ports"},
                   {"type", "linsey"},
                   {"agentSocket", agent->socket()},
                   {"notesDir", agent->notes_dir()},
                   {"runtimeConfig", {{"portMappings", mappings}}}});
    command.netns_fd = host->fd();
    return must(run(command));
  }
  static Json mapping(int host_port, int port, const char* protocol,
                      const char* host_ip = "") {
    return {{"hostPort", host_port},
            {"containerPort", port},
            {"protocol", protocol},
            {"hostIP", host_ip}};
  }
  void serve_in_pod() {
    Command command;
    command.argv = {"python3", "-c", kServer};
    command.netns_fd = pod->fd();
    command.output_file = dir / "server.log";
    server = must(Child::start(command));
    ASSERT_TRUE(tests::eventually([&] {
      return read_file(dir / "server.log").value_or("").find("up") !=
             std::string::npos;
    }));
  }
  /// Whom the pod's server saw when called from `from`; "none".
  static std::string ask(const netlink::NetNs& from, const std::string& kind,
                         const std::string& address, int port) {
    Command command;
    command.argv = {"python3", "-c",    kClient,
                    kind,      address, std::to_string(port)};
    command.netns_fd = from.fd();
    const std::string out = must(run_ok(command));
    return out.substr(0, out.find('\n'));
  }
  std::string table() {
    return sh(*host, "nft list table inet linsey_hostports 2>&1 || true");
  }

  tests::TempDir dir;
  std::unique_ptr<AgentProcess> agent;
  std::optional<netlink::NetNs> outside;
  Child server;
};

TEST_F(HostPort, IsReachedFromOutsideTheNodeAndThePodItself) {
  const Finished added =
      call("ADD", "web",
           Json::array({mapping(8080, 80, "tcp"), mapping(8053, 53, "udp")}));
  ASSERT_EQ(added.exit_code, 0) << added.out;
  serve_in_pod();

  EXPECT_EQ(ask(*outside, "tcp", "10.0.1.11", 8080), "10.0.1.99");
  EXPECT_EQ(ask(*outside, "udp", "10.0.1.11", 8053), "10.0.1.99");
  EXPECT_EQ(ask(*outside, "tcp", "fd00:1::11", 8080), "fd00:1::99");
  EXPECT_EQ(ask(*outside, "udp", "fd00:1::11", 8053), "fd00:1::99");
  EXPECT_NE(ask(*host, "tcp", "10.0.1.11", 8080), "none");
  EXPECT_NE(ask(*host, "tcp", "127.0.0.1", 8080), "none");
  EXPECT_NE(ask(*host, "tcp", "fd00:1::11", 8080), "none");
  EXPECT_NE(ask(*pod, "tcp", "10.0.1.11", 8080), "none");
  EXPECT_NE(ask(*pod, "tcp", "fd00:1::11", 8080), "none");
}

TEST_F(HostPort, OfOneAddressIsNotOnAnother) {
  sh(*host, "ip addr add 10.0.1.12/24 dev up0");
  ASSERT_EQ(
      call("ADD", "web", Json::array({mapping(8080, 80, "tcp", "10.0.1.12")}))
          .exit_code,
      0);
  serve_in_pod();

  EXPECT_EQ(ask(*outside, "tcp", "10.0.1.12", 8080), "10.0.1.99");
  EXPECT_EQ(ask(*outside, "tcp", "10.0.1.11", 8080), "none");
}

TEST_F(HostPort, ThePodDoesNotReachTheNodesLoopback) {
  ASSERT_EQ(
      call("ADD", "web", Json::array({mapping(8080, 80, "tcp")})).exit_code, 0);

  EXPECT_THAT(table(), HasSubstr("ip daddr 127.0.0.0/8 drop"));
}

TEST_F(HostPort, IsGoneAfterTheDelete) {
  ASSERT_EQ(
      call("ADD", "web", Json::array({mapping(8080, 80, "tcp")})).exit_code, 0);
  EXPECT_THAT(table(), HasSubstr("dport 8080"));

  ASSERT_EQ(call("DEL", "web", Json::array()).exit_code, 0);

  EXPECT_FALSE(succeeds(*host, "nft list table inet linsey_hostports"));
}

TEST_F(HostPort, SurvivesARestartOfTheAgent) {
  ASSERT_EQ(
      call("ADD", "web", Json::array({mapping(8080, 80, "tcp")})).exit_code, 0);
  serve_in_pod();
  agent->kill_now();
  EXPECT_EQ(ask(*outside, "tcp", "10.0.1.11", 8080), "10.0.1.99");
  sh(*host, "nft delete table inet linsey_hostports");

  agent->start();

  EXPECT_EQ(ask(*outside, "tcp", "10.0.1.11", 8080), "10.0.1.99");
}

TEST_F(HostPort, ATakenPortIsRefusedByName) {
  ASSERT_EQ(
      call("ADD", "web", Json::array({mapping(8080, 80, "tcp")})).exit_code, 0);

  const Finished second =
      call("ADD", "other", Json::array({mapping(8080, 80, "tcp")}));

  EXPECT_NE(second.exit_code, 0);
  EXPECT_THAT(second.out, HasSubstr("HostPortTaken"));
  EXPECT_EQ(agent->client().check({"ports", "other", "eth0"}).error().code,
            Code::kUnknownAttachment);
}

TEST_F(HostPort, FlowsOfTheAddressAreForgottenWithIt) {
  const Finished added =
      call("ADD", "web", Json::array({mapping(8053, 53, "udp")}));
  ASSERT_EQ(added.exit_code, 0) << added.out;
  serve_in_pod();
  EXPECT_EQ(ask(*outside, "udp", "10.0.1.11", 8053), "10.0.1.99");
  EXPECT_THAT(sh(*host, "conntrack -L 2>/dev/null"), HasSubstr("dport=8053"));

  ASSERT_EQ(call("DEL", "web", Json::array()).exit_code, 0);

  EXPECT_TRUE(tests::eventually([&] {
    return sh(*host, "conntrack -L 2>/dev/null").find("dport=8053") ==
           std::string::npos;
  }));
}

}  // namespace
}  // namespace linsey
