#include "tests/contract/party.h"

#include <cstdlib>
#include <thread>
#include <utility>

#include <gtest/gtest.h>

#include "lab/api/manifest.h"

namespace linsey::contract {
namespace {

using std::chrono::milliseconds;

constexpr int kPatience = 600;  // times 100 ms
const kube::Resource kNamespaces{"", "v1", "namespaces"};

void must(const Result<Json>& done) {
  if (done || done.error().code == Code::kApiExists) return;
  panic(to_string(done.error()) + " " + done.error().details);
}

/// A server takes up definitions and policies a little after it stored them.
template <typename Holds>
void wait_until(const char* what, Holds holds) {
  for (int i = 0; i < kPatience; ++i) {
    if (holds()) return;
    std::this_thread::sleep_for(milliseconds(100));
  }
  panic(std::string("the API server does not take up ") + what);
}

}  // namespace

Party& Party::get() {
  static Party party;
  return party;
}

Party::Party() {
  const char* path = std::getenv("LINSEY_CONTRACT_KUBECONFIG");
  if (path == nullptr || *path == '\0') {
    simulator_ = std::make_unique<lab::api::Server>();
    simulator_->add_token("admin", {"admin", {"system:masters"}, {}});
  } else {
    Result<kube::Endpoint> endpoint = kube::read_kubeconfig(path);
    if (!endpoint) panic(to_string(endpoint.error()));
    real_ = std::move(*endpoint);
  }
  transport_ = connect();
  make_ready();
}

std::unique_ptr<kube::Transport> Party::connect() {
  if (simulator_) return simulator_->connect("admin");
  return kube::make_transport(
      std::make_shared<kube::Credentials>(real_, clock_));
}

std::unique_ptr<kube::Transport> Party::connect_as(const std::string& token) {
  if (simulator_) return simulator_->connect(token);
  kube::Endpoint endpoint = real_;
  endpoint.token = token;
  for (std::string* other :
       {&endpoint.token_file, &endpoint.cert_file, &endpoint.cert_data,
        &endpoint.key_file, &endpoint.key_data}) {
    other->clear();
  }
  return kube::make_transport(
      std::make_shared<kube::Credentials>(endpoint, clock_));
}

void Party::make_ready() {
  kube::Client client(*transport_);
  const char* source = std::getenv("LINSEY_SOURCE");
  const std::string base =
      std::string(source == nullptr ? "." : source) + "/install/base";
  for (const std::string& path :
       {base + "/crds", base + "/rbac.yaml", base + "/admission-policy.yaml"}) {
    const auto objects = lab::api::read_manifests(path);
    if (!objects) panic(to_string(objects.error()));
    for (const Json& object : *objects) {
      must(lab::api::apply(client, object));
    }
  }
  must(client.create(kNamespaces, "", {{"metadata", {{"name", kNamespace}}}}));
  for (const kube::Resource& type :
       {kube::kIpPools, kube::kIpBlocks, kube::kNodeNetworks}) {
    wait_until("the definitions",
               [&] { return client.list(type, "").has_value(); });
  }
  wait_for_policies();
}

void Party::wait_for_policies() {
  kube::Client client(*transport_);
  Json unlabelled = block(4000, "nobody");
  unlabelled["metadata"].erase("labels");
  wait_until("the policies", [&] {
    const Result<Json> made = client.create(kube::kIpBlocks, "", unlabelled);
    if (made) (void)client.remove(kube::kIpBlocks, "", block_name(4000));
    return !made;
  });
  const auto stranger = connect_as(agent_token("c-first"));
  kube::Client confined(*stranger);
  wait_until("the confinement", [&] {
    const Result<Json> made =
        confined.create(kube::kIpBlocks, "", block(4001, "c-other"));
    if (made) (void)client.remove(kube::kIpBlocks, "", block_name(4001));
    return !made;
  });
}

std::string Party::token_of(const std::string& pod) {
  Json spec = {{"audiences", {"https://kubernetes.default.svc"}}};
  if (!pod.empty()) {
    spec["boundObjectRef"] = {
        {"kind", "Pod"}, {"apiVersion", "v1"}, {"name", pod}};
  }
  const Json reply = ask(
      *transport_,
      {.method = "POST",
       .path = "/api/v1/namespaces/kube-system/serviceaccounts/linsey-agent/"
               "token",
       .body = dump_json({{"kind", "TokenRequest"},
                          {"apiVersion", "authentication.k8s.io/v1"},
                          {"spec", std::move(spec)}})});
  const Json status = reply.value("status", Json::object());
  if (!status.is_object()) panic("no token: " + reply.dump());
  return status.value("token", "");
}

std::string Party::agent_token(const std::string& name) {
  kube::Client client(*transport_);
  must(client.create(kube::kNodes, "", node(name)));
  Json agent = pod("linsey-agent-" + name, name);
  agent["spec"]["serviceAccountName"] = "linsey-agent";
  must(client.create(kube::kPods, "kube-system", agent));
  return token_of("linsey-agent-" + name);
}

std::string Party::unbound_token() {
  return token_of("");
}

Json ask(kube::Transport& transport, const kube::Request& request) {
  const Result<kube::Response> reply = transport.send(request);
  if (!reply) return to_string(reply.error());
  const Result<Json> body = parse_json(reply->body);
  return body ? *body : Json(reply->body);
}

Json config_map(const std::string& name, const Json& labels) {
  return {{"metadata", {{"name", name}, {"labels", labels}}},
          {"data", {{"key", "value"}}}};
}

Json pool(const std::string& name, const std::string& cidr) {
  return {{"apiVersion", "linsey.dev/v1"},
          {"kind", "IPPool"},
          {"metadata", {{"name", name}}},
          {"spec", {{"cidr", cidr}}}};
}

std::string block_name(unsigned number) {
  return fmt::format("4-{:08x}-26", 0xc6120000U + number * 64);
}

Json block(unsigned number, const std::string& node) {
  const unsigned address = 0xc6120000U + number * 64;
  return {
      {"apiVersion", "linsey.dev/v1"},
      {"kind", "IPBlock"},
      {"metadata",
       {{"name", block_name(number)},
        {"labels", {{"linsey.dev/node", node}, {"linsey.dev/pool", kPool}}}}},
      {"spec",
       {{"cidr",
         fmt::format("{}.{}.{}.{}/26", address >> 24, (address >> 16) & 255,
                     (address >> 8) & 255, address & 255)},
        {"pool", kPool},
        {"node", node},
        {"nodeUID", "u-" + node},
        {"state", "pending"}}}};
}

Json node(const std::string& name) {
  return {{"metadata", {{"name", name}, {"labels", {{"kind", "metal"}}}}}};
}

Json pod(const std::string& name, const std::string& node) {
  const Json container = {{"name", "c"}, {"image", "image"}};
  return {{"metadata", {{"name", name}}},
          {"spec",
           {{"nodeName", node},
            {"automountServiceAccountToken", false},
            {"containers", Json::array({container})}}}};
}

void Fixture::forget(const kube::Resource& type, const std::string& ns,
                     const std::string& name) {
  // What a test left is of no interest; finalizers first.
  (void)client_.patch(type, ns, name,
                      {{"metadata", {{"finalizers", nullptr}}}});
  (void)ask(*transport_,
            {.method = "DELETE",
             .path = type.path(ns) + "/" + name + "?gracePeriodSeconds=0",
             .body = R"({"kind":"DeleteOptions","apiVersion":"v1",)"
                     R"("gracePeriodSeconds":0})"});
}

}  // namespace linsey::contract
