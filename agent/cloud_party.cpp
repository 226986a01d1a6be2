#include "agent/cloud_party.h"

#include <utility>

#include "base/crash_point.h"

namespace linsey::agent {
namespace {

std::chrono::milliseconds in_ms(Duration duration) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(duration);
}

}  // namespace

CloudParty::CloudParty(const conf::AgentConfig& config, const Clock& clock,
                       std::function<void(const cloud::ApiOutcome&)> observe)
    : metadata_({.url = config.evidence.metadata_url,
                 .timeout = in_ms(config.evidence.timeout)},
                metadata_http_, clock),
      credentials_({.ram_role = config.eni.credentials.ram_role,
                    .key_file = config.eni.credentials.key_file},
                   metadata_, clock),
      ecs_({.region = config.eni.region,
            .ecs_endpoint = config.eni.ecs_endpoint,
            .vpc_endpoint = config.eni.vpc_endpoint,
            .timeout = in_ms(config.eni.call_timeout)},
           {.http = api_http_,
            .credentials = credentials_,
            .metadata = metadata_,
            .clock = clock,
            .observe = std::move(observe)}) {}

Result<Machine> CloudParty::machine() {
  Machine machine;
  machine.instance = TRY(metadata_.instance());
  machine.enis = TRY(metadata_.enis());
  return machine;
}

Result<std::vector<cloud::AttachedEni>> CloudParty::attached(
    const std::vector<Mac>& macs) {
  std::vector<cloud::AttachedEni> enis;
  for (const Mac& mac : macs) {
    std::optional<cloud::AttachedEni> eni = TRY(metadata_.eni(mac));
    if (eni) enis.push_back(std::move(*eni));
  }
  return enis;
}

Result<CloudFacts> CloudParty::facts(const FactsRequest& request) {
  if (type_.id != request.type) {
    type_ = TRY(ecs_.describe_instance_type(request.type));
  }
  CloudFacts facts;
  facts.type = type_;
  facts.v_switches = TRY(ecs_.describe_v_switches(request.v_switches));
  facts.enis = TRY(
      ecs_.describe_enis({.ids = {}, .instance_id = {}, .tags = request.tags}));
  if (request.primary_eni.empty()) return facts;
  for (const cloud::Eni& eni : TRY(ecs_.describe_enis(
           {.ids = {request.primary_eni}, .instance_id = {}, .tags = {}}))) {
    facts.host_groups = eni.security_groups;
  }
  return facts;
}

Result<ActionOutcome> CloudParty::run(const cloud::EniAction& action,
                                      const ActionContext& context) {
  ActionOutcome outcome;
  switch (action.kind) {
    case cloud::ActionKind::kCreate:
      outcome.eni =
          TRY(ecs_.create_eni({.v_switch = action.v_switch,
                               .security_groups = context.security_groups,
                               .secondary_ipv4 = action.count - 1,
                               .ipv6 = action.count6,
                               .name = context.name,
                               .description = context.description,
                               .tags = context.tags,
                               .client_token = context.client_token}));
      CRASH_POINT("eni.created");
      break;
    case cloud::ActionKind::kAttach:
      TRY(ecs_.attach_eni(action.eni_id, context.instance_id));
      CRASH_POINT("eni.attached");
      break;
    case cloud::ActionKind::kAssign:
      outcome.addresses =
          TRY(ecs_.assign({.eni_id = action.eni_id,
                           .family = action.family,
                           .count = action.count,
                           .client_token = context.client_token}));
      CRASH_POINT("eni.assigned");
      break;
    case cloud::ActionKind::kUnassign:
      TRY(ecs_.unassign(action.eni_id, action.addresses));
      CRASH_POINT("eni.unassigned");
      break;
    case cloud::ActionKind::kDetach:
      TRY(ecs_.detach_eni(action.eni_id, context.instance_id));
      CRASH_POINT("eni.detached");
      break;
    case cloud::ActionKind::kDelete:
      TRY(ecs_.delete_eni(action.eni_id));
      CRASH_POINT("eni.deleted");
      break;
    case cloud::ActionKind::kDrain:
      break;  // the ledger's business
  }
  return outcome;
}

}  // namespace linsey::agent
