// CloudParty: the clients of one cloud, and what the eni supplier asks of them
// in one job. All of it runs on the cloud worker's thread.
//
// Jobs are values in, a value out. A job holds the party by shared_ptr, since
// it may still run when the supplier that sent it is gone.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "cloud/aliyun_ecs.h"
#include "cloud/credentials.h"
#include "cloud/eni_plan.h"
#include "cloud/http.h"
#include "cloud/metadata.h"
#include "conf/agent_config.h"

namespace linsey::agent {

/// What the metadata service says, in one reading.
struct Machine {
  cloud::Instance instance;
  std::vector<cloud::AttachedEni> enis;
};

/// What the OpenAPI says, in one reading.
struct CloudFacts {
  cloud::InstanceType type;
  std::vector<cloud::VSwitch> v_switches;
  std::vector<cloud::Eni> enis;          // those with our tags
  std::vector<std::string> host_groups;  // of the primary interface
};

struct FactsRequest {
  std::string type;
  std::vector<std::string> v_switches;
  cloud::Tags tags;
  std::string primary_eni;  // empty: its security groups are not wanted
};

/// What an action needs beside itself.
struct ActionContext {
  std::string instance_id;
  std::vector<std::string> security_groups;
  cloud::Tags tags;
  std::string name;
  std::string description;
  std::string client_token;
};

struct ActionOutcome {
  cloud::Eni eni;                 // kCreate
  std::vector<IpAddr> addresses;  // kAssign
};

class CloudParty {
 public:
  CloudParty(const conf::AgentConfig& config, const Clock& clock,
             std::function<void(const cloud::ApiOutcome&)> observe);

  Result<Machine> machine();
  Result<std::vector<cloud::AttachedEni>> attached() {
    return metadata_.enis();
  }
  /// Those of `macs` that are there.
  Result<std::vector<cloud::AttachedEni>> attached(
      const std::vector<Mac>& macs);
  Result<CloudFacts> facts(const FactsRequest& request);
  Result<ActionOutcome> run(const cloud::EniAction& action,
                            const ActionContext& context);

 private:
  cloud::HttpClient metadata_http_;
  cloud::HttpClient api_http_;
  cloud::Metadata metadata_;
  cloud::CredentialSource credentials_;
  cloud::AliyunEcs ecs_;
  cloud::InstanceType type_;  // does not change under a running node
};

}  // namespace linsey::agent
