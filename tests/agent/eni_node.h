// A cloud node in a network namespace of its own: the real Service, supplier
// and clients against the simulated region over HTTP; attached interfaces
// appear as real links. Everything runs in the host namespace of the test, so
// the whole body of a test goes into in_host().
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agent/eni_supplier.h"
#include "agent/service.h"
#include "lab/sim/cloud.h"
#include "lab/sim/http_server.h"
#include "tests/support/fake_clock.h"
#include "tests/support/netns.h"
#include "tests/support/temp_dir.h"

namespace linsey::agent {

/// The region: VPC vpc-1 with zones a and b, a host and two pod vSwitches in
/// each ("vsw-pod-a", "vsw-more-a"), one in another VPC, and instance i-a of
/// type ecs.g7.large (3 interfaces of 6 addresses).
class EniRegion {
 public:
  /// `host` gets the links of the instances; their other ends go to `fabric`.
  /// `real` time instead of a clock moved by hand: for the real linseyd.
  EniRegion(const netlink::NetNs& host, const netlink::NetNs& fabric,
            bool real = false);

  std::string api_url() const;
  /// Of the agents of this region, one after the other.
  std::string state_dir() const { return state_.path(); }
  /// A metadata service for an instance.
  std::string metadata_url_of(const std::string& instance);
  void tune(const std::function<void(sim::Knobs&)>& change) {
    cloud.tune(change);
  }
  std::vector<sim::EniView> secondary() const;
  sim::EniView primary() const;
  /// An ECS call of somebody else; its HTTP status.
  int call(const std::string& action,
           std::map<std::string, std::string> params);
  std::size_t calls() const { return cloud.calls().size(); }

  tests::FakeClock clock;
  SteadyClock steady;
  sim::Cloud cloud;
  bool links_appear = true;
  /// How long every call of the OpenAPI takes, by the clock moved by hand.
  std::atomic<Duration> api_latency{Duration(0)};

 private:
  void add_link(const sim::EniView& eni);
  void remove_link(const sim::EniView& eni);

  const netlink::NetNs& host_;
  const netlink::NetNs& fabric_;
  std::unique_ptr<sim::HttpServer> server_;
  std::uint16_t api_port_ = 0;
  tests::TempDir state_;
  std::map<std::string, std::string> links_;  // ENI -> link
};

struct Heard {
  std::optional<Result<rpc::Lease>> answer;
};

/// The agent of i-a. A second one on the same ledger rows is a restart.
class EniAgent {
 public:
  explicit EniAgent(EniRegion& region, conf::AgentConfig configuration,
                    ipam::Ledger from = ipam::Ledger());

  static conf::AgentConfig default_config(EniRegion& region);

  void start();
  /// Lets time pass in small steps until `until` holds; fails the test after
  /// two minutes of it.
  void pass_until(const std::function<bool()>& until);
  void pass(Duration time);
  std::shared_ptr<Heard> begin_add(const std::string& container);
  std::shared_ptr<Heard> add(const std::string& container);
  /// That many ADDs in one turn; waits until all are answered.
  std::vector<std::shared_ptr<Heard>> burst(unsigned count);
  /// As add, and waits for the answer.
  Result<rpc::Lease> lease(const std::string& container);
  void del(const std::string& container);
  ipam::Counts counts() const { return ledger.counts(region_.clock.now()); }
  /// What is in the ledger, as a store would give it back after a restart.
  ipam::Ledger remembered() const;

  conf::AgentConfig config;
  conf::Node node;
  Loop loop;
  Metrics metrics;
  ipam::Ledger ledger;
  Worker worker;
  /// Hears of refused ADDs, as the API server's side of the agent does.
  std::function<void(const ipam::Attachment&, const Error&)> on_refused;
  Service service;
  EniSupplier supplier;

 private:
  EniRegion& region_;
  std::uint64_t tickets_ = 0;
};

ipam::AttachmentKey key_of(const std::string& container);

}  // namespace linsey::agent
