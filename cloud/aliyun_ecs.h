// Ecs over the OpenAPI of Alibaba Cloud.
//
// Every verb is one call, but for paging, and for one more attempt with fresh
// credentials when the cloud refuses those in hand. Replies are read with
// tolerance: numbers may be strings, empty lists and objects may be missing or
// `{}`, and unknown members are ignored; what is needed and absent is
// kCloudBadReply. Calls are counted by action for the metrics.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "base/clock.h"
#include "cloud/credentials.h"
#include "cloud/ecs.h"
#include "cloud/http.h"
#include "cloud/openapi.h"

namespace linsey::cloud {

struct AliyunOptions {
  std::string region;        // empty: from the metadata service
  std::string ecs_endpoint;  // empty: https://ecs-vpc.REGION.aliyuncs.com
  std::string vpc_endpoint;  // empty: https://vpc-vpc.REGION.aliyuncs.com
  std::chrono::milliseconds timeout{20000};
  bool v1_signature = false;
};

/// The outcome of one request, told after it: "ecs:CreateNetworkInterface".
struct ApiOutcome {
  std::string operation;
  bool ok = false;
  Code code = Code::kInternal;  // when not ok
  Duration took{};
};

class AliyunEcs final : public Ecs {
 public:
  /// The parties outlive it. `observe` is called on the worker's thread.
  struct Parties {
    HttpClient& http;
    CredentialSource& credentials;
    Metadata& metadata;
    const Clock& clock;
    std::function<void(const ApiOutcome&)> observe;
  };
  AliyunEcs(AliyunOptions options, Parties parties);

  Result<std::vector<Eni>> describe_enis(const EniFilter& filter) override;
  Result<Eni> create_eni(const CreateEni& request) override;
  Result<void> attach_eni(const std::string& eni_id,
                          const std::string& instance_id) override;
  Result<void> detach_eni(const std::string& eni_id,
                          const std::string& instance_id) override;
  Result<void> delete_eni(const std::string& eni_id) override;
  Result<std::vector<IpAddr>> assign(const AssignAddresses& request) override;
  Result<void> unassign(const std::string& eni_id,
                        const std::vector<IpAddr>& addresses) override;
  Result<std::vector<VSwitch>> describe_v_switches(
      const std::vector<std::string>& ids) override;
  Result<InstanceType> describe_instance_type(const std::string& id) override;

 private:
  Result<nlohmann::json> call_ecs(const std::string& action, Params params);
  Result<nlohmann::json> call_vpc(const std::string& action, Params params);
  Result<nlohmann::json> call(const ApiCall& call);
  Result<nlohmann::json> attempt(const ApiCall& call);
  Result<std::string> region();
  Result<void> unassign_call(const std::string& eni_id,
                             const std::vector<IpAddr>& addresses);

  AliyunOptions options_;
  Parties parties_;
};

}  // namespace linsey::cloud
