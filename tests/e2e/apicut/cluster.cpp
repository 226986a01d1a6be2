#include "tests/e2e/apicut/cluster.h"

#include <algorithm>
#include <chrono>
#include <deque>
#include <thread>

#include "base/file.h"
#include "base/json.h"
#include "kube/client.h"
#include "lab/api/identity.h"
#include "lab/api/manifest.h"
#include "lab/sim/http_server.h"
#include "tests/support/golden.h"

namespace linsey::tests {
namespace {

constexpr char kToken[] = "token-of-m1";
constexpr char kAdmin[] = "token-of-admin";
constexpr std::uint16_t kPort = 6443;

}  // namespace

Cluster::Cluster(const netlink::NetNs& host, ClusterOptions options)
    : host_(host), options_(std::move(options)) {
  server_.add_token(kAdmin, {"admin", {"system:masters"}, {}});
  server_.add_token(kToken,
                    {"system:serviceaccount:kube-system:linsey-agent",
                     {"system:serviceaccounts", "system:authenticated"},
                     {{"authentication.kubernetes.io/node-name", {"m1"}}}});
  put_objects();
  listen(host);
  const std::string kubeconfig = dir_ / "kubeconfig";
  must(write_file_atomic(
      kubeconfig,
      lab::api::kubeconfig(fmt::format("https://127.0.0.1:{}", kPort),
                           identity_.ca_pem, kToken),
      {.mode = 0600, .sync = false}));
  const Json patch = {
      {"kubernetes",
       {{"source", "kubeconfig"},
        {"kubeconfig", kubeconfig},
        {"writesPerSecond", kWritesPerSecond},
        {"taintAfter", "1s"},
        {"untaintAfter", "1s"}}},
      {"ipam", {{"coolDown", "1s"}, {"coolDownMin", "1s"}, {"wait", "2s"}}},
      {"pools", nullptr},
      {"blocks", {{"source", "cluster"}, {"assignments", nullptr}}}};
  agent_ = std::make_unique<AgentProcess>(
      host, AgentOptions{.blocks = {}, .config_patch = dump_json(patch)});
}

void Cluster::put_objects() {
  const auto transport = server_.connect(kAdmin);
  kube::Client client(*transport);
  for (const char* part : {"crds", "rbac.yaml", "admission-policy.yaml"}) {
    for (const Json& object : must(lab::api::read_manifests(
             source_dir() + "/install/base/" + part))) {
      (void)must(lab::api::apply(client, object));
    }
  }
  server_.put(
      kNodePath,
      {{"apiVersion", "v1"},
       {"kind", "Node"},
       {"metadata", {{"name", "m1"}, {"labels", {{"place", "dc"}}}}},
       {"spec",
        {{"taints",
          {{{"key", "linsey.dev/not-ready"}, {"effect", "NoSchedule"}}}}}},
       {"status",
        {{"addresses", {{{"type", "InternalIP"}, {"address", "10.0.1.11"}}}},
         {"conditions", {{{"type", "Ready"}, {"status", "True"}}}}}}});
  server_.put(
      "/apis/linsey.dev/v1/ippools/v4",
      {{"apiVersion", "linsey.dev/v1"},
       {"kind", "IPPool"},
       {"metadata", {{"name", "v4"}}},
       {"spec", {{"cidr", options_.pool}, {"blockSize", options_.block_size}}},
       {"status",
        {{"conditions",
          {{{"type", "Valid"},
            {"status", "True"},
            {"reason", "Valid"},
            {"message", ""},
            {"lastTransitionTime", "2026-01-01T00:00:00Z"}}}}}}});
}

void Cluster::listen(const netlink::NetNs& host) {
  const IpAddr loopback = must(IpAddr::parse("127.0.0.1"));
  identity_ = must(lab::api::make_identity({loopback}));
  UniqueFd listener;
  must(host.run([&]() -> Result<void> {
    listener = TRY(sim::listen_tcp(loopback, kPort));
    return {};
  }));
  front_ = must(
      lab::api::HttpFront::start(server_, std::move(listener), &identity_));
}

Finished Cluster::call(const std::string& verb, const std::string& pod) {
  if (!pods_.contains(pod)) {
    pods_.emplace(pod, must(netlink::NetNs::create()));
  }
  Json input = {{"cniVersion", "1.1.0"},
                {"name", "net"},
                {"type", "linsey"},
                {"agentSocket", agent_->socket()},
                {"notesDir", agent_->notes_dir()}};
  if (results_.contains(pod)) input["prevResult"] = results_[pod];
  Command command;
  command.argv = {build_dir() + "/plugin/linsey"};
  command.env = {{"CNI_COMMAND", verb},
                 {"CNI_CONTAINERID", pod},
                 {"CNI_NETNS", pods_.at(pod).path()},
                 {"CNI_IFNAME", "eth0"},
                 {"CNI_PATH", build_dir() + "/plugin"},
                 {"CNI_ARGS", "K8S_POD_NAMESPACE=default;K8S_POD_NAME=" + pod}};
  command.stdin_data = dump_json(input);
  command.netns_fd = host_.fd();
  return must(run(command));
}

std::string Cluster::add(const std::string& pod) {
  const Finished done = call("ADD", pod);
  if (done.exit_code != 0) return "refused: " + done.out;
  results_[pod] = must(parse_json(done.out));
  return results_[pod]["ips"][0]["address"];
}

void Cluster::ask_in_vain(const std::string& pod) const {
  ipam::Attachment attachment;
  attachment.key = {"net", pod, "eth0"};
  attachment.pod = {"default", pod, "uid-" + pod};
  attachment.netns = "/proc/self/ns/net";
  attachment.wanted_ips = {must(IpAddr::parse("192.0.2.1"))};
  (void)agent_->client().allocate(attachment);
}

Json Cluster::node_condition(const std::string& type) {
  const Json node = server_.at(kNodePath);
  for (const Json& one : node["status"]["conditions"]) {
    if (one["type"] == type) return one;
  }
  return Json::object();
}

std::vector<Json> Cluster::objects(const kube::Resource& type,
                                   const std::string& ns) {
  const auto transport = server_.connect(kAdmin);
  return must(kube::Client(*transport).list(type, ns)).items;
}

std::string Cluster::metrics() const {
  return must(agent_->client().get("/metrics"));
}

std::string Cluster::metric(const std::string& name) const {
  const std::string text = metrics();
  const auto at = text.find("\n" + name + " ");
  if (at == std::string::npos) return "?";
  const auto begin = at + name.size() + 2;
  return text.substr(begin, text.find('\n', begin) - begin);
}

std::size_t Cluster::writes() {
  std::size_t sum = 0;
  for (const char* method : {"POST", "PUT", "PATCH", "DELETE"}) {
    sum += server_.count(method, "/");
  }
  return sum;
}

std::size_t Cluster::busiest_second(const std::function<bool()>& done) {
  using std::chrono::steady_clock;
  struct Sample {
    steady_clock::time_point at;
    std::size_t writes;
  };
  std::deque<Sample> samples;
  std::size_t most = 0;
  const auto end = steady_clock::now() + std::chrono::seconds(120);
  while (!done() && steady_clock::now() < end) {
    samples.push_back({steady_clock::now(), writes()});
    while (samples.back().at - samples.front().at > std::chrono::seconds(1)) {
      samples.pop_front();
    }
    most = std::max(most, samples.back().writes - samples.front().writes);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return most;
}

}  // namespace linsey::tests
