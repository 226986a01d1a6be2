// The cloud's half of World: instances, their ENIs and their metadata.
#include "base/log.h"
#include "lab/in_namespace.h"
#include "lab/world.h"

namespace linsey::lab {
namespace {

constexpr std::uint16_t kHttp = 80;

IpAddr metadata_address() {
  return IpAddr::v4(0x646464c8);
}  // 100.100.100.200

EniLink link_of(const sim::EniView& eni) {
  return {eni.id, eni.mac, eni.v_switch, eni.addresses, eni.security_groups};
}

void tell(const Result<void>& done) {
  // The cloud's books are right, the wire is not: the log is all there is.
  if (!done) {
    log::error("{}; {}", to_string(done.error()), done.error().details);
  }
}

}  // namespace

sim::Hooks World::cloud_hooks() {
  return {.attached =
              [this](const sim::EniView& eni) {
                tell(desk_->ask([&] { return plug(eni); }));
              },
          .detached =
              [this](const sim::EniView& eni) {
                tell(desk_->ask([&] { return unplug(eni); }));
              },
          .addresses_changed =
              [this](const sim::EniView& eni) {
                tell(desk_->ask([&] {
                  return vpc_->set_addresses(eni.id, eni.addresses);
                }));
              }};
}

Result<void> World::build_cloud() {
  cloud_ = TRY(SimulatedCloud::start(options_.topology, cloud_hooks()));
  cloud_->serve_api(TRY(
      listen_inside(vpc_->router(), options_.topology.vpc.open_api, kHttp)));
  return {};
}

/// What the cloud and the image's network scripts do before anything of ours
/// runs: the primary ENI with address and default route, and the metadata
/// address, which a real host answers beneath the guest.
Result<void> World::boot_cloud_node(Node& node) {
  const sim::EniView primary = TRY(cloud_->add_instance(node.spec()));
  TRY(plug(primary));
  const VSwitch* v_switch =
      options_.topology.vpc.find_v_switch(primary.v_switch);
  if (v_switch == nullptr) panic("a plugged ENI has a vSwitch");
  const Cidr address(node.spec().address, v_switch->cidr.prefix_len());
  TRY(ip_batch(node.ns(),
               fmt::format("addr add {} dev eth0\nlink set eth0 up\n"
                           "route add default via {}\n"
                           "addr add {} dev lo\n",
                           address.to_string(), v_switch->gateway().to_string(),
                           Cidr::host(metadata_address()).to_string())));
  if (node.spec().address6) {
    TRY(ip_batch(
        node.ns(),
        fmt::format("addr add {}/64 dev eth0 nodad\n"
                    "route add ::/0 via {} dev eth0\n",
                    node.spec().address6->to_string(),
                    v_switch->gateway6().value_or(IpAddr()).to_string())));
  }
  cloud_->serve_metadata(
      node.spec().name,
      TRY(listen_inside(node.ns(), metadata_address(), kHttp)));
  return {};
}

Result<void> World::plug(const sim::EniView& eni) {
  const std::string name = node_of_instance(eni.instance);
  Node* node = TRY(this->node(name));
  const std::string ifname = node->plug(eni.id);
  log::info("ENI {} ({}) is {} of {}", eni.id, eni.v_switch, ifname, name);
  return vpc_->attach(link_of(eni), node->ns(), ifname);
}

Result<void> World::unplug(const sim::EniView& eni) {
  const auto found = nodes_.find(node_of_instance(eni.instance));
  if (found != nodes_.end()) found->second->unplug(eni.id);
  log::info("ENI {} is pulled out", eni.id);
  return vpc_->detach(eni.id);
}

}  // namespace linsey::lab
