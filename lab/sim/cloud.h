// Cloud: the simulated region. One state machine for unit tests (call() in
// process) and for the lab (OpenApi and Metadata serve it over HTTP). It takes
// time from a Clock and chance from a seed, so every run can be repeated: an
// asynchronous step happens when somebody looks after its time has come, or in
// advance(). What no client may rely on (latencies, lag, lost replies,
// refusals) is a knob; what the documentation promises is not. The rejected
// alternative, canned replies, cannot say whether a sequence of calls left an
// orphan. Thread: any; one mutex. Hooks run in order, outside of it.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "lab/sim/knobs.h"
#include "lab/sim/types.h"

namespace linsey::sim {

struct CloudSpec {
  std::string region = "cn-sim";
  std::string account = "1234567890123456";
  std::uint64_t seed = 1;
};

struct Call {
  std::string product = "ecs";  // ecs, vpc, sts
  std::string action;
  std::map<std::string, std::string> params;
  std::string caller;  // access key id, already verified
};

struct Reply {
  int status = 200;
  std::string code;  // empty: success
  std::string body;  // JSON
  std::string request_id;
  std::map<std::string, std::string> headers;
  Duration delay{0};
  bool drop = false;
};

struct RoleCredentials {
  AccessKey key;
  std::chrono::system_clock::time_point updated;
};

class Region;

class Cloud {
 public:
  /// `clock` must outlive it. The instance types of the documentation are
  /// there from the start.
  explicit Cloud(const Clock& clock, CloudSpec spec = {});
  ~Cloud();
  Cloud(const Cloud&) = delete;
  Cloud& operator=(const Cloud&) = delete;

  // Building. Errors: kInvalidConfig, saying what does not fit.
  Result<void> add(const VpcSpec& vpc);
  Result<void> add(const VSwitchSpec& v_switch);
  Result<void> add(const SecurityGroupSpec& group);
  Result<void> add(const InstanceTypeSpec& type);
  Result<void> add(const InstanceSpec& instance);
  void add(AccessKey key);
  void add(OidcTrust trust);
  /// Releases it with its primary ENI; its other ENIs become Available, those
  /// with DeleteOnRelease go. Errors: kInvalidConfig when it is not there.
  Result<void> release_instance(const std::string& id);
  /// "Running", "Stopped" ... Errors: kInvalidConfig when it is not there.
  Result<void> set_instance_status(const std::string& id,
                                   const std::string& status);
  void set_hooks(Hooks hooks);
  void tune(const std::function<void(Knobs&)>& change);
  /// Attaches that got stuck go on.
  void go_on();

  /// One API call by a caller that has been recognised.
  Reply call(const Call& call);
  /// Records a call that came no further than the gateway (bad signature, old
  /// time stamp ...) and makes its reply.
  Reply refuse(const Call& call, const Fault& fault);
  /// Takes every step whose time has come; returns how long until the next.
  std::optional<Duration> advance();

  // What happened.
  std::vector<CallRecord> calls() const;
  std::size_t count(const std::string& action) const;
  void forget_calls();
  /// Sorted by address.
  std::vector<BookLine> books() const;
  std::vector<EniView> enis() const;
  /// nullopt when there is no such vSwitch.
  std::optional<std::uint64_t> free_addresses(
      const std::string& v_switch) const;

  // For the handlers.
  std::optional<AccessKey> find_key(const std::string& id) const;
  /// False when this key's nonce was used before. Remembers it.
  bool use_nonce(const std::string& key, const std::string& nonce);
  /// The set the instance's metadata offers now: a new one from 30 minutes
  /// before the end of the old. nullopt: no role.
  std::optional<RoleCredentials> role_credentials(const std::string& instance);
  /// Makes the next set come now; the old one ends after `overlap`.
  void rotate_role(const std::string& instance, Duration overlap);
  /// Reads the region under the lock. For the handlers of this folder.
  void read(const std::function<void(const Region&, Instant)>& look);
  const Clock& clock() const { return clock_; }
  const CloudSpec& spec() const { return spec_; }

 private:
  struct State;
  void deliver_events();

  const Clock& clock_;
  const CloudSpec spec_;
  std::unique_ptr<State> state_;
};

}  // namespace linsey::sim
