// Ecs: the first seam of the project, what Linsey asks of Alibaba Cloud.
//
// One verb is one call; nothing here waits, retries or remembers. Whoever
// drives it (agent/eni_supplier) looks, plans and acts again, which is also
// how a lost reply is resolved: create and assign carry a client token that is
// sent again unchanged, the others are idempotent here, because what is gone
// already counts as success. States are reported as the cloud shows them; a
// state that we do not know is kUnknown and means "in transition".
// Thread: one at a time (the cloud worker). Rejected: an asynchronous
// interface, since one thread with one queue serves a whole node.
#pragma once

#include <string>
#include <vector>

#include "base/ip.h"
#include "base/result.h"
#include "cloud/types.h"

namespace linsey::cloud {

/// All members that are set must match; at least one must be set.
struct EniFilter {
  std::vector<std::string> ids;
  std::string instance_id;
  Tags tags;
};

struct CreateEni {
  std::string v_switch;
  std::vector<std::string> security_groups;  // 1 to 10
  unsigned secondary_ipv4 = 0;  // beside the primary address, at most 49
  unsigned ipv6 = 0;            // at most 10
  std::string name;
  std::string description;
  Tags tags;
  std::string client_token;  // at most 64 ASCII characters

  bool operator==(const CreateEni&) const = default;
};

struct AssignAddresses {
  std::string eni_id;
  Family family = Family::kV4;
  unsigned count = 0;  // 1 to 10
  std::string client_token;

  bool operator==(const AssignAddresses&) const = default;
};

/// Errors of every verb: kCloudThrottled, kCloudForbidden (naming the RAM
/// action), kCloudCredentials, kCloudBadRequest, kCloudBadReply; and kTimeout
/// and kCloudUnavailable, after which the call may or may not have had its
/// effect. The request id of the cloud is in the details.
class Ecs {
 public:
  virtual ~Ecs() = default;

  /// Ids that do not exist are missing from the answer.
  virtual Result<std::vector<Eni>> describe_enis(const EniFilter& filter) = 0;

  /// Answers with the new interface, usually kAvailable. The same token with
  /// the same request answers with the same interface. Errors:
  /// kVSwitchExhausted, kVSwitchNotFound, kEniLimit (of the account),
  /// kIpPerEniLimit, kSecurityGroupFull, kCloudConflict.
  virtual Result<Eni> create_eni(const CreateEni& request) = 0;

  /// Begins to attach; describe_enis or the metadata service show the end: in
  /// use, or available again when it failed. Errors: kEniLimit,
  /// kIpPerEniLimit, kCloudGone (no such interface or instance),
  /// kCloudStatePending (it is in another state than available).
  virtual Result<void> attach_eni(const std::string& eni_id,
                                  const std::string& instance_id) = 0;

  /// Begins to detach. An unknown interface or instance is success. Errors:
  /// kCloudStatePending.
  virtual Result<void> detach_eni(const std::string& eni_id,
                                  const std::string& instance_id) = 0;

  /// Begins to delete a detached interface. An unknown one is success.
  /// Errors: kCloudStatePending while it is attached.
  virtual Result<void> delete_eni(const std::string& eni_id) = 0;

  /// Answers with the new addresses only. Errors: kVSwitchExhausted,
  /// kIpPerEniLimit, kCloudGone, kCloudConflict, kCloudStatePending.
  virtual Result<std::vector<IpAddr>> assign(
      const AssignAddresses& request) = 0;

  /// Takes secondary addresses of one family off. Addresses that are not on
  /// the interface are fine. Errors: kCloudConflict.
  virtual Result<void> unassign(const std::string& eni_id,
                                const std::vector<IpAddr>& addresses) = 0;

  /// The given ones, of any zone and VPC; those that do not exist are missing
  /// from the answer.
  virtual Result<std::vector<VSwitch>> describe_v_switches(
      const std::vector<std::string>& ids) = 0;

  /// Errors: kCloudGone for a type that does not exist.
  virtual Result<InstanceType> describe_instance_type(
      const std::string& id) = 0;
};

}  // namespace linsey::cloud
