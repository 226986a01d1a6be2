// A node in memory around a Service: a supplier that has what the test gives
// it, a disk that fails on request, and a kernel that remembers which paths
// stand. With memory, so that a test tells a story and not a call order.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "agent/service.h"
#include "agent/supplier.h"
#include "tests/support/fake_clock.h"

namespace linsey::agent {

/// Gives the addresses put into the ledger by the test.
class FakeSupplier final : public Supplier {
 public:
  void start() override {}
  void need(std::size_t waiting) override {
    needed = waiting;
    if (refuse_with) hooks.refuse(*refuse_with);
  }
  void on_released(const IpAddr& address) override {
    released.push_back(address);
  }
  void on_assigned(const IpAddr& address) override {
    assigned.push_back(address);
  }
  void config_changed() override {}
  Result<ipam::Allocation> complete(
      const std::vector<IpAddr>& addresses) const override {
    if (broken) return *broken;
    ipam::Allocation allocation;
    allocation.addresses = addresses;
    allocation.mtu = 1450;
    allocation.source = "test";
    return allocation;
  }
  Health health() const override { return current; }
  std::string describe() const override { return "{}"; }
  void stop() override {}

  Health current{.ready = true, .why = {}, .zone = {}};
  std::optional<Error> broken;       // what complete() says
  std::optional<Error> refuse_with;  // what need() refuses with at once
  SupplyHooks hooks;
  std::size_t needed = 0;
  std::vector<IpAddr> released;
  std::vector<IpAddr> assigned;
};

/// What one caller of the service has heard so far.
template <typename T>
struct Heard {
  std::optional<Result<T>> answer;
  bool alive = true;  // false: it hung up
};

struct FakeNode {
  FakeNode()
      : loop(clock),
        service(
            {.loop = loop,
             .clock = clock,
             .ledger = ledger,
             .metrics = metrics,
             .config = config,
             .save = [this] { return save(); },
             .take_down =
                 [this](const Teardown& t, TeardownDone done) {
                   teardowns.push_back(t);
                   dying.emplace_back(t.key, std::move(done));
                   if (links_go_at_once) links_gone();
                 },
             .sweep =
                 [this](
                     const std::set<std::pair<std::string, std::string>>& keep,
                     const std::function<void(const Result<void>&)>& done) {
                   swept_keeping = keep;
                   done({});
                 },
             .ports = {.open =
                           [this](const ipam::Held& held) {
                             if (port_error) return Result<void>(*port_error);
                             open_ports.insert(held.attachment.key);
                             return Result<void>();
                           },
                       .close =
                           [this](const ipam::AttachmentKey& closed) {
                             if (port_error) return Result<void>(*port_error);
                             open_ports.erase(closed);
                             return Result<void>();
                           }},
             .held = {.put =
                          [this](const ipam::Held& held) {
                            told.insert(held.attachment.key);
                            on_given(held);
                          },
                      .drop =
                          [this](const ipam::AttachmentKey& dropped) {
                            told.erase(dropped);
                          }},
             .forget =
                 [this](const std::vector<IpAddr>& addresses) {
                   forgotten.insert(forgotten.end(), addresses.begin(),
                                    addresses.end());
                 },
             .refused =
                 [this](const ipam::Attachment& attachment, const Error& why) {
                   refused.emplace_back(attachment.pod.name, why.code);
                   on_refused(attachment, why);
                 }}) {
    loop.set_after_turn([this] { service.commit(); });
    supplier.hooks = service.supply_hooks();
    service.set_supplier(&supplier);
  }

  static IpAddr ip(const std::string& text) {
    return IpAddr::parse(text).value();
  }
  static ipam::AttachmentKey key(const std::string& container) {
    return {"net", container, "eth0"};
  }

  void supply(const std::vector<std::string>& addresses) {
    std::vector<ipam::Supply> rows;
    rows.reserve(addresses.size());
    for (const std::string& address : addresses) {
      rows.push_back({ip(address), "test", ""});
    }
    ledger.add(rows);
    supplier.hooks.supply_changed();
    turn();
  }

  /// An ADD begins; what it hears is in the returned value.
  std::shared_ptr<Heard<rpc::Lease>> begin_add(
      const std::string& container,
      std::optional<Duration> patience = std::nullopt) {
    auto heard = std::make_shared<Heard<rpc::Lease>>();
    AllocateCall call;
    call.ticket = ++tickets;
    call.attachment.key = key(container);
    call.attachment.pod = {"ns", "pod-" + container, "uid"};
    call.patience = patience;
    call.reply = [heard](const Result<rpc::Lease>& lease) {
      if (!heard->alive) return false;
      heard->answer = lease;
      return true;
    };
    service.allocate(std::move(call));
    return heard;
  }
  /// An ADD, and the turn of the loop that ends it if it can end.
  std::shared_ptr<Heard<rpc::Lease>> add(
      const std::string& container,
      std::optional<Duration> patience = std::nullopt) {
    auto heard = begin_add(container, patience);
    turn();
    return heard;
  }
  std::shared_ptr<Heard<void>> begin_del(const std::string& container) {
    auto heard = std::make_shared<Heard<void>>();
    service.release(
        {.key = key(container), .pod = {}, .link_index = 0, .link_name = {}},
        [heard](const Result<void>& done) { heard->answer = done; });
    return heard;
  }
  std::shared_ptr<Heard<void>> del(const std::string& container) {
    auto heard = begin_del(container);
    turn();
    return heard;
  }

  /// The kernel shows none of the links any more.
  void links_gone() {
    for (const auto& [gone, done] : std::exchange(dying, {})) {
      done(take_down_error ? Result<std::vector<IpAddr>>(*take_down_error)
                           : seen_on_routes);
    }
  }
  void turn() {
    loop.post("turn", [] {});
    loop.run_until_idle();
  }
  void wait(Duration time) {
    clock.advance(time);
    turn();
  }

  Result<void> save() {
    ++saves;
    if (disk_error) return *disk_error;
    saved_keys.clear();
    for (const auto& [held_key, held] : ledger.held()) {
      saved_keys.push_back(held_key);
    }
    ledger.mark_saved();
    return {};
  }

  tests::FakeClock clock;
  Loop loop;
  ipam::Ledger ledger;
  Metrics metrics;
  conf::AgentConfig config;
  FakeSupplier supplier;
  Service service;

  bool links_go_at_once = true;
  std::optional<Error> disk_error;
  std::optional<Error> take_down_error;
  std::vector<IpAddr> seen_on_routes;
  std::optional<Error> port_error;
  std::set<ipam::AttachmentKey> open_ports;
  std::set<ipam::AttachmentKey> told;  // what CHECK reads without asking
  std::vector<IpAddr> forgotten;
  std::vector<std::pair<std::string, Code>> refused;  // pod, why
  std::function<void(const ipam::Held&)> on_given = [](const ipam::Held&) {};
  std::function<void(const ipam::Attachment&, const Error&)> on_refused =
      [](const ipam::Attachment&, const Error&) {};
  std::vector<Teardown> teardowns;
  std::optional<std::set<std::pair<std::string, std::string>>> swept_keeping;
  std::vector<std::pair<ipam::AttachmentKey, TeardownDone>> dying;
  std::vector<ipam::AttachmentKey> saved_keys;  // held on disk
  int saves = 0;
  std::uint64_t tickets = 0;
};

}  // namespace linsey::agent
