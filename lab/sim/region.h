// Region: the simulated cloud's books and their rules, without JSON, HTTP or
// locks. Invariants: an address belongs to one ENI or to none; an attached ENI
// holds no more than its instance's type allows; an ENI, its vSwitch and its
// instance lie in one zone and VPC. Every verb first checks everything, then
// changes; a Fault means that nothing changed.
#pragma once

#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "lab/sim/knobs.h"
#include "lab/sim/types.h"

namespace linsey::sim {

struct EniAddress {
  IpAddr ip;
  Instant visible{0};  // in the metadata service, from then on
};

struct Eni {
  std::string id;
  std::string v_switch;
  std::string vpc;
  std::string zone;
  Mac mac;
  EniState state = EniState::kAvailable;
  bool primary = false;
  std::string instance;
  unsigned device_index = 0;
  std::vector<EniAddress> addresses;  // [0] is the primary one
  std::vector<std::string> security_groups;
  std::string name;
  std::string description;
  bool delete_on_release = false;
  std::map<std::string, std::string> tags;
  std::string created;
  Instant visible{0};          // in the metadata service, from then on
  std::optional<Instant> due;  // of the step under way; none: stuck
  bool falls_back = false;     // the attach under way will fail

  std::vector<IpAddr> list(Family family) const;
};

struct Instance {
  InstanceSpec spec;
  std::string status = "Running";
  std::string vpc;
  std::string zone;
  std::string primary_eni;
};

/// Which addresses are wanted: named ones, or any `count`.
struct Wish {
  std::vector<IpAddr> named;
  unsigned count = 0;
  std::size_t size() const { return named.empty() ? count : named.size(); }
};

struct NewEni {
  std::string v_switch;
  std::vector<std::string> security_groups;
  std::optional<IpAddr> primary;
  Wish secondary;
  Wish v6;
  std::string name;
  std::string description;
  bool delete_on_release = false;
  std::map<std::string, std::string> tags;
};

/// What a verb did: the ENI it made, the addresses it gave.
struct Outcome {
  Fault fault;
  std::string eni;
  std::vector<IpAddr> addresses;
};

struct EniEvent {
  enum class Kind : std::uint8_t { kAttached, kDetached, kAddresses };
  Kind kind;
  EniView eni;
};

class Region {
 public:
  explicit Region(std::uint64_t seed);

  // Building; an error text, empty for success.
  std::string add(const VpcSpec& vpc);
  std::string add(const VSwitchSpec& v_switch);
  std::string add(const SecurityGroupSpec& group);
  std::string add(const InstanceTypeSpec& type);
  std::string add(const InstanceSpec& instance, Instant now);
  std::string release_instance(const std::string& id);
  std::string set_status(const std::string& id, const std::string& status);

  Outcome create(const NewEni& wish, const std::string& wall, Instant now);
  Fault attach(const std::string& eni, const std::string& instance,
               Instant now);
  Fault detach(const std::string& eni, const std::string& instance,
               Instant now);
  Fault remove(const std::string& eni, Instant now);
  /// Attaches that got stuck go on; only the cloud can do that, since an attach
  /// cannot be issued again.
  void go_on(Instant now);
  Outcome assign(const std::string& eni, Family family, const Wish& wish,
                 Instant now);
  Fault unassign(const std::string& eni, Family family,
                 const std::vector<IpAddr>& addresses);
  Fault tag(const std::string& eni,
            const std::map<std::string, std::string>& tags);
  /// Takes the steps that are due; the time of the next one.
  std::optional<Instant> advance(Instant now);
  std::vector<EniEvent> take_events() { return std::exchange(events_, {}); }

  const std::map<std::string, VpcSpec>& vpcs() const { return vpcs_; }
  const std::map<std::string, VSwitchSpec>& v_switches() const {
    return v_switches_;
  }
  const std::map<std::string, InstanceTypeSpec>& types() const {
    return types_;
  }
  const std::map<std::string, Instance>& instances() const {
    return instances_;
  }
  const std::map<std::string, Eni>& enis() const { return enis_; }
  std::uint64_t free_v4(const VSwitchSpec& v_switch) const;
  const InstanceTypeSpec* type_of(const std::string& instance) const;

  Knobs knobs;

 private:
  Fault check_new(const NewEni& wish) const;
  Fault check_groups(const NewEni& wish, const VSwitchSpec& v_switch) const;
  Fault check_named(const VSwitchSpec& v_switch, Family family,
                    const std::vector<IpAddr>& named) const;
  Fault check_room(const VSwitchSpec& v_switch, std::size_t v4) const;
  Fault check_quota(const Eni& eni, Family family, std::size_t more) const;
  Fault check_attach(const Eni& eni, const Instance& instance) const;
  IpAddr take_free(const VSwitchSpec& v_switch, Family family);
  void give(Eni& eni, const IpAddr& ip, Instant visible);
  void drop_eni(const std::string& id);
  void note(EniEvent::Kind kind, const Eni& eni);
  std::string new_id(std::string_view prefix);
  Mac new_mac();

  std::map<std::string, VpcSpec> vpcs_;
  std::map<std::string, VSwitchSpec> v_switches_;
  std::map<std::string, SecurityGroupSpec> groups_;
  std::map<std::string, InstanceTypeSpec> types_;
  std::map<std::string, Instance> instances_;
  std::map<std::string, Eni> enis_;
  // Per vSwitch: overlapping CIDRs of two VPCs are nobody's conflict.
  std::map<std::string, std::map<IpAddr, std::string>> used_;
  std::vector<EniEvent> events_;
  std::mt19937_64 random_;
};

/// What the lab and the hooks see of an ENI.
EniView view(const Eni& eni);

}  // namespace linsey::sim
