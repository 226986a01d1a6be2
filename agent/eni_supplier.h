// EniSupplier: eni mode. Addresses are secondary ones of shared interfaces,
// got from the cloud before they are needed and when they run out.
//
// One step at a time: look at what is there, let the planner say what to do,
// have the cloud worker do the first thing of it, look again. Nothing is
// remembered across steps that the cloud, the kernel or the ledger does not
// show, so a lost reply, a crash between two calls and a hand in the console
// are all the same case. Tags put in the creation itself name the owner before
// there is anything to own. Where the zone's vSwitches are not beyond doubt no
// address is given and nothing is taken off: a typo must not cost interfaces.
#pragma once

#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "agent/cloud_party.h"
#include "agent/eni_links.h"
#include "agent/eni_model.h"
#include "agent/eni_pace.h"
#include "agent/return_path.h"
#include "agent/supplier.h"
#include "cloud/zone.h"

namespace linsey::agent {

inline constexpr const char* kClusterTag = "linsey.dev/cluster";
inline constexpr const char* kInstanceTag = "linsey.dev/instance";

class EniSupplier final : public Supplier {
 public:
  /// The kernel's side is opened in the namespace of the calling thread.
  explicit EniSupplier(SupplierDeps deps);
  ~EniSupplier() override;
  EniSupplier(const EniSupplier&) = delete;
  EniSupplier& operator=(const EniSupplier&) = delete;

  void start() override;
  void need(std::size_t waiting) override;
  void on_released(const IpAddr& address) override;
  void on_assigned(const IpAddr& address) override;
  void config_changed() override;
  Result<ipam::Allocation> complete(
      const std::vector<IpAddr>& addresses) const override;
  Health health() const override;
  std::string describe() const override;
  void stop() override;

 private:
  // What comes next (eni_supplier.cpp).
  void wake();
  void step();
  bool ask_machine(Instant now);
  bool ask_cloud(Instant now);
  void sleep_until_due(Instant now);
  std::optional<cloud::EniAction> next_action(Instant now);
  cloud::PlanInput plan_input(Instant now);
  bool prepare(const cloud::EniAction& action, Instant now);
  void tell_shortage(const cloud::EniPlan& plan);
  void refuse(const Error& why);
  unsigned waiting(Instant now) const;

  // Jobs and their ends (eni_jobs.cpp).
  template <typename Job, typename Done>
  void run(Job job, Done done);
  void look();
  void check();
  void poll();
  void learn();
  void act(const cloud::EniAction& action);
  void took_look(const Machine& machine);
  void learned(CloudFacts facts);
  void acted(const cloud::EniAction& action,
             const Result<ActionOutcome>& outcome);
  void done(const cloud::EniAction& action, const ActionOutcome& outcome);
  void failed(const cloud::EniAction& action, const Error& error);
  void call_failed(const Error& error);
  void take_from(const std::string& v_switch, std::size_t count);
  Result<void> check_place() const;
  Result<void> check_ipv6(const std::vector<cloud::VSwitch>& usable) const;

  // Addresses and links (eni_supplier_supply.cpp).
  void place_links();
  void keep_return_path();
  void heard_change(const std::set<std::uint32_t>& tables);
  Result<std::vector<std::string>> listed() const;
  void supply();
  void drop_strays(const KnownEni& known);
  void withdraw(const std::string& eni_id);
  std::vector<IpAddr> addresses_of(const std::string& eni_id) const;
  std::optional<IpAddr> gateway_of(const KnownEni& known) const;
  void close_zone(const Error& why);
  void count_surplus();
  ipam::Counts pool_counts(Instant now) const;
  Error on_its_way(Instant now) const;
  cloud::Tags tags() const;
  cloud::ZoneMap zone_map() const;
  void observe(const cloud::ApiOutcome& outcome);
  void publish() const;

  SupplierDeps deps_;
  std::shared_ptr<CloudParty> party_;
  std::unique_ptr<EniLinks> links_;
  std::unique_ptr<ReturnPath> return_path_;
  EniModel model_;
  Backoff cloud_backoff_;
  Backoff machine_backoff_;
  CallBudget budget_;
  Suspensions suspensions_;
  TokenMemory tokens_;
  std::minstd_rand random_;

  std::optional<cloud::Instance> instance_;
  std::vector<cloud::AttachedEni> attached_;  // the last whole reading
  std::vector<IpAddr> node_addresses_;
  std::uint32_t link_mtu_ = 0;
  std::vector<std::string> host_groups_;  // security groups of the primary
  cloud::InstanceType limits_;
  std::optional<std::vector<cloud::VSwitch>> v_switches_;  // validated
  /// The list that they were, when it was found in order; nullopt: not yet
  /// in this process.
  std::optional<std::vector<std::string>> validated_;

  std::optional<Error> zone_error_;   // the place is not beyond doubt
  std::optional<Error> cloud_error_;  // of the last call
  std::optional<Error> machine_error_;
  std::optional<Error> shortage_;

  bool started_ = false;
  bool running_ = false;   // a job is under way
  std::string under_way_;  // the action that it is
  Instant under_way_since_{};
  bool learn_failed_ = false;
  bool woken_ = false;
  unsigned waiting_ = 0;
  Instant waiting_since_{};
  unsigned surplus_checks_ = 0;
  unsigned polls_ = 0;  // in a row
  Instant next_poll_{};
  Instant next_check_{};
  Instant next_learn_{};
  Instant last_learn_{};
  Instant cloud_not_before_{};
  Instant machine_not_before_{};
  Loop::TimerId timer_ = 0;
  /// Ends of jobs that outlive the supplier look at this first.
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace linsey::agent
