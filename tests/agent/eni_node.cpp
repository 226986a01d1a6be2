#include "tests/agent/eni_node.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "lab/sim/metadata.h"
#include "lab/sim/openapi.h"

namespace linsey::agent {
namespace {

using tests::must;

constexpr Duration kStep = std::chrono::milliseconds(100);
constexpr Duration kEnough = std::chrono::minutes(2);

Cidr cidr(const std::string& text) {
  return must(Cidr::parse(text));
}

void build(sim::Cloud& cloud) {
  must(cloud.add(sim::VpcSpec{.id = "vpc-1",
                              .cidr = cidr("172.16.0.0/16"),
                              .secondary = {},
                              .cidr_v6 = cidr("fd00:1::/56")}));
  must(cloud.add(sim::VpcSpec{.id = "vpc-2",
                              .cidr = cidr("172.17.0.0/16"),
                              .secondary = {},
                              .cidr_v6 = {}}));
  const std::vector<sim::VSwitchSpec> v_switches = {
      {"vsw-host-a", "vpc-1", "cn-sim-a", cidr("172.16.0.0/24"),
       cidr("fd00:1:0:1::/64")},
      {"vsw-pod-a", "vpc-1", "cn-sim-a", cidr("172.16.16.0/24"),
       cidr("fd00:1:0:10::/64")},
      {"vsw-more-a", "vpc-1", "cn-sim-a", cidr("172.16.17.0/24"), {}},
      {"vsw-pod-b", "vpc-1", "cn-sim-b", cidr("172.16.32.0/24"), {}},
      {"vsw-far", "vpc-2", "cn-sim-a", cidr("172.17.0.0/24"), {}}};
  for (const sim::VSwitchSpec& v_switch : v_switches) {
    must(cloud.add(v_switch));
  }
  must(cloud.add(sim::SecurityGroupSpec{.id = "sg-1", .vpc = "vpc-1"}));
  must(cloud.add(sim::InstanceSpec{.id = "i-a",
                                   .type = "ecs.g7.large",
                                   .v_switch = "vsw-host-a",
                                   .address = must(IpAddr::parse("172.16.0.9")),
                                   .security_groups = {"sg-1"},
                                   .host_name = "node-a",
                                   .role = "linsey",
                                   .role_allows = {}}));
}

std::string local_url(std::uint16_t port) {
  return "http://127.0.0.1:" + std::to_string(port);
}

}  // namespace

EniRegion::EniRegion(const netlink::NetNs& host, const netlink::NetNs& fabric,
                     bool real)
    : cloud(real ? static_cast<const Clock&>(steady) : clock),
      host_(host),
      fabric_(fabric) {
  build(cloud);
  for (const sim::EniView& eni : cloud.enis()) {
    add_link(eni);
  }
  cloud.set_hooks(
      {.attached = [this](const sim::EniView& e) { add_link(e); },
       .detached = [this](const sim::EniView& e) { remove_link(e); },
       .addresses_changed = {}});
  server_ = must(sim::HttpServer::start());
  UniqueFd api = must(sim::listen_tcp(must(IpAddr::parse("127.0.0.1")), 0));
  api_port_ = must(sim::port_of(api));
  server_->serve(std::move(api), [this, face = std::make_shared<sim::OpenApi>(
                                            cloud)](const sim::HttpRequest& r) {
    clock.advance(api_latency.load());
    return face->handle(r);
  });
}

std::string EniRegion::api_url() const {
  return local_url(api_port_);
}
std::string EniRegion::metadata_url_of(const std::string& instance) {
  UniqueFd socket = must(sim::listen_tcp(must(IpAddr::parse("127.0.0.1")), 0));
  const std::uint16_t port = must(sim::port_of(socket));
  server_->serve(std::move(socket),
                 [face = std::make_shared<sim::Metadata>(cloud, instance)](
                     const sim::HttpRequest& r) { return face->handle(r); });
  return local_url(port);
}

std::vector<sim::EniView> EniRegion::secondary() const {
  std::vector<sim::EniView> enis = cloud.enis();
  std::erase_if(enis, [](const sim::EniView& eni) { return eni.primary; });
  return enis;
}

sim::EniView EniRegion::primary() const {
  for (const sim::EniView& eni : cloud.enis()) {
    if (eni.primary && eni.instance == "i-a") return eni;
  }
  panic("i-a has no primary interface");
}

int EniRegion::call(const std::string& action,
                    std::map<std::string, std::string> params) {
  params["RegionId"] = "cn-sim";
  return cloud.call({"ecs", action, std::move(params), ""}).status;
}

void EniRegion::add_link(const sim::EniView& eni) {
  if (!links_appear) return;
  const std::string name = "eth" + std::to_string(links_.size());
  must(must(netlink::Socket::open_in(host_))
           .run(netlink::Batch().add_link(
               {.name = name,
                .kind = "veth",
                .mac = eni.mac,
                .mtu = eni.primary ? 1450U : 1500U,
                .netns_fd = host_.fd(),
                .peer = netlink::PeerSpec{
                    .name = name, .mac = {}, .netns_fd = fabric_.fd()}})));
  links_[eni.id] = name;
}

void EniRegion::remove_link(const sim::EniView& eni) {
  const auto it = links_.find(eni.id);
  if (it == links_.end()) return;
  must(must(netlink::Socket::open_in(host_))
           .run(netlink::Batch().delete_link(it->second)));
}

conf::AgentConfig EniAgent::default_config(EniRegion& region) {
  conf::AgentConfig config;
  config.cluster = "test";
  config.state_dir = region.state_dir();
  config.evidence.metadata_url = region.metadata_url_of("i-a");
  config.eni.ecs_endpoint = region.api_url();
  config.eni.vpc_endpoint = region.api_url();
  config.eni.zones["cn-sim-a"].v_switches = {"vsw-pod-a", "vsw-more-a"};
  config.eni.security_groups = {"sg-1"};
  return config;
}

EniAgent::EniAgent(EniRegion& region, conf::AgentConfig configuration,
                   ipam::Ledger from)
    : config(std::move(configuration)),
      node{.name = "node-a",
           .uid = {},
           .labels = {},
           .provider_id = {},
           .addresses = {}},
      loop(region.clock),
      ledger(std::move(from)),
      worker(loop, "cloud", Worker::Kind::kInline),
      service(
          {.loop = loop,
           .clock = region.clock,
           .ledger = ledger,
           .metrics = metrics,
           .config = config,
           .save = []() -> Result<void> { return {}; },
           .take_down =
               [](const Teardown& teardown, const TeardownDone& done) {
                 done(teardown.addresses);
               },
           .refused =
               [this](const ipam::Attachment& attachment, const Error& why) {
                 if (on_refused) on_refused(attachment, why);
               }}),
      supplier({.loop = loop,
                .clock = region.clock,
                .ledger = ledger,
                .config = config,
                .node = node,
                .worker = worker,
                .metrics = metrics,
                .hooks = service.supply_hooks()}),
      region_(region) {
  loop.set_after_turn([this] { service.commit(); });
  service.set_standing({.mode = "eni", .why = "test", .quarantine = {}});
  service.set_supplier(&supplier);
}

void EniAgent::start() {
  supplier.start();
  loop.run_until_idle();
}

void EniAgent::pass_until(const std::function<bool()>& until) {
  const Instant end = region_.clock.now() + kEnough;
  loop.run_until_idle();
  while (!until()) {
    if (region_.clock.now() > end) {
      ADD_FAILURE() << "waited in vain: " << supplier.describe();
      return;
    }
    region_.clock.advance(kStep);
    loop.run_until_idle();
  }
}

void EniAgent::pass(Duration time) {
  const Instant end = region_.clock.now() + time;
  pass_until([&] { return region_.clock.now() >= end; });
}

std::shared_ptr<Heard> EniAgent::begin_add(const std::string& container) {
  auto heard = std::make_shared<Heard>();
  AllocateCall call;
  call.ticket = ++tickets_;
  call.attachment.key = key_of(container);
  call.attachment.pod = {"web", container, "uid-" + container};
  call.reply = [heard](const Result<rpc::Lease>& lease) {
    heard->answer = lease;
    return true;
  };
  service.allocate(std::move(call));
  return heard;
}

std::shared_ptr<Heard> EniAgent::add(const std::string& container) {
  auto heard = begin_add(container);
  loop.run_until_idle();
  return heard;
}

std::vector<std::shared_ptr<Heard>> EniAgent::burst(unsigned count) {
  std::vector<std::shared_ptr<Heard>> all;
  for (unsigned i = 0; i < count; ++i) {
    all.push_back(begin_add("burst" + std::to_string(i)));
  }
  pass_until([&] {
    return std::ranges::all_of(
        all, [](const auto& heard) { return heard->answer.has_value(); });
  });
  return all;
}

Result<rpc::Lease> EniAgent::lease(const std::string& container) {
  const auto heard = add(container);
  pass_until([&] { return heard->answer.has_value(); });
  if (!heard->answer) return make_error(Code::kInternal, "no answer");
  return *heard->answer;
}

void EniAgent::del(const std::string& container) {
  service.release(
      {.key = key_of(container), .pod = {}, .link_index = 0, .link_name = {}},
      [](const Result<void>& done) { must(done); });
  loop.run_until_idle();
}

ipam::Ledger EniAgent::remembered() const {
  ipam::Ledger copy;
  for (const ipam::AddressRow& row : ledger.rows(region_.clock.now())) {
    copy.restore(row, true);
  }
  for (const auto& [key, held] : ledger.held()) {
    copy.restore(held, false, true);
  }
  return copy;
}

ipam::AttachmentKey key_of(const std::string& container) {
  return {"net", container, "eth0"};
}

}  // namespace linsey::agent
