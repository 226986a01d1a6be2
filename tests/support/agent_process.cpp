#include "tests/support/agent_process.h"

#include <unistd.h>

#include <chrono>
#include <thread>

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/json.h"
#include "netlink/socket.h"
#include "tests/support/golden.h"
#include "tests/support/netns.h"

// NOLINTNEXTLINE(readability-redundant-declaration): POSIX leaves it to us.
extern char** environ;

namespace linsey::tests {
namespace {

using std::chrono::steady_clock;

constexpr auto kPatience = std::chrono::seconds(20);

/// Asks again and again until `done` or patience is over.
bool eventually(const std::function<bool()>& done) {
  const auto end = steady_clock::now() + kPatience;
  while (!done()) {
    if (steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

std::map<std::string, std::string> own_environment() {
  std::map<std::string, std::string> env;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text(*entry);
    const auto equals = text.find('=');
    env[text.substr(0, equals)] = text.substr(equals + 1);
  }
  return env;
}

std::string address_of(const std::string& cidr) {
  return cidr.substr(0, cidr.find('/'));
}

Json node_json(const AgentOptions& options) {
  Json addresses = Json::array();
  for (const std::string& cidr : options.addresses) {
    addresses.push_back(
        {{"type", "InternalIP"}, {"address", address_of(cidr)}});
  }
  return {{"metadata", {{"name", options.node}, {"labels", options.labels}}},
          {"spec", {{"providerID", options.provider_id}}},
          {"status", {{"addresses", std::move(addresses)}}}};
}

}  // namespace

AgentProcess::AgentProcess(const netlink::NetNs& host, AgentOptions options)
    : host_(host), options_(std::move(options)) {
  for (const char* name : {"run", "state", "net.d", "etc", "node"}) {
    must(make_directories(dir_ / name, 0700));
  }
  make_uplink();
  write_documents(options_);
}

AgentProcess::~AgentProcess() {
  child_.kill_now();
}

void AgentProcess::make_uplink() const {
  netlink::Socket socket = must(netlink::Socket::open_in(host_));
  if (must(socket.find_link("up0"))) return;
  netlink::LinkSpec spec;
  spec.name = "up0";
  spec.kind = "veth";
  spec.up = true;
  spec.peer = netlink::PeerSpec{.name = "up1", .mac = {}, .netns_fd = -1};
  must(socket.run(
      netlink::Batch().add_link(spec).set_link("up1", {.up = true})));
  const int index = must(socket.find_link("up0"))->index;
  netlink::Batch batch;
  for (const std::string& cidr : options_.addresses) {
    netlink::Address address;
    address.link_index = index;
    address.cidr = must(Cidr::parse(cidr));
    batch.add_address(address);
  }
  if (!batch.empty()) must(socket.run(batch));
}

void AgentProcess::write_documents(const AgentOptions& options) {
  options_ = options;
  Json blocks = Json::object();
  if (!options.blocks.empty()) blocks[options.node] = options.blocks;
  Json config = {
      {"version", 1},
      {"node", {{"name", options.node}, {"file", node_file()}}},
      {"socket", socket()},
      {"runDir", dir_ / "run"},
      {"stateDir", state_dir()},
      {"modes",
       {{{"name", "metal"}, {"selector", "place=dc"}, {"mode", "bgp"}},
        {{"name", "cloud"}, {"selector", "place=ecs"}, {"mode", "eni"}}}},
      {"evidence", {{"dmiPath", dir_ / "node/product_name"}}},
      {"pools",
       {{{"name", "v4"}, {"cidr", "10.64.0.0/16"}},
        {{"name", "v6"}, {"cidr", "fd00:64::/64"}}}},
      {"blocks", {{"source", "file"}, {"assignments", std::move(blocks)}}},
      {"bgp",
       {{"bird",
         {{"controlSocket", dir_ / "run/bird.ctl"},
          {"configFile", dir_ / "run/bird.conf"}}}}},
      {"log", {{"level", "debug"}}}};
  config.merge_patch(must(parse_json(options.config_patch)));
  must(write_file_atomic(node_file(), dump_json(node_json(options), 2)));
  must(write_file_atomic(config_file(), dump_json(config, 2)));
}

void AgentProcess::launch(const std::map<std::string, std::string>& env) {
  Command command;
  // With the rights of the manifest and no more.
  command.argv = {"setpriv", "--bounding-set=-all,+net_admin",
                  build_dir() + "/agent/linseyd", "--config", config_file()};
  command.env = own_environment();
  for (const auto& [key, value] : env) {
    (*command.env)[key] = value;
  }
  command.netns_fd = host_.fd();
  command.output_file = dir_ / "agent.log";
  child_ = must(Child::start(command));
}

void AgentProcess::start(const std::map<std::string, std::string>& env) {
  start_unready(env);
  const bool ready = eventually(
      [&] { return client().get("/readyz").has_value() || !child_.alive(); });
  if (!ready || !alive()) panic("linseyd is not ready:\n" + log());
}

void AgentProcess::start_unready(
    const std::map<std::string, std::string>& env) {
  launch(env);
  const bool answers = eventually(
      [&] { return client().get("/healthz").has_value() || !child_.alive(); });
  if (!answers || !alive()) panic("linseyd does not answer:\n" + log());
}

bool AgentProcess::start_to_crash(
    const std::map<std::string, std::string>& env) {
  launch(env);
  return wait_end();
}

int AgentProcess::stop() {
  return child_.stop();
}
void AgentProcess::kill_now() {
  child_.kill_now();
}
bool AgentProcess::alive() {
  return child_.alive();
}

bool AgentProcess::wait_end() {
  return eventually([&] { return !child_.alive(); });
}

rpc::Client AgentProcess::client() const {
  return rpc::Client({.socket = socket(),
                      .connect_wait = std::chrono::milliseconds(0),
                      .timeout = std::chrono::seconds(30)});
}

std::string AgentProcess::wait_for(const std::string& path,
                                   const std::string& text) {
  std::string body;
  (void)eventually([&] {
    const Result<std::string> got = client().get(path);
    body = got ? *got : to_string(got.error());
    return body.find(text) != std::string::npos;
  });
  return body;
}

std::string AgentProcess::log() const {
  return read_file(dir_ / "agent.log").value_or(std::string());
}

}  // namespace linsey::tests
