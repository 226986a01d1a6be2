#include "agent/kube_side.h"

#include <functional>
#include <utility>

namespace linsey::agent {

KubeSide::KubeSide(KubeSideDeps deps)
    : deps_(std::move(deps)), worker_(deps_.loop, "kube") {
  const conf::AgentConfig& config = deps_.documents.config();
  const std::string& node = deps_.documents.node_name();
  writer_ = std::make_unique<KubeWriter>(
      KubeWriterDeps{.loop = deps_.loop,
                     .worker = worker_,
                     .metrics = deps_.metrics,
                     .per_second = config.kubernetes.writes_per_second,
                     .seed = std::hash<std::string>{}(node),
                     .connect = connector(config.kubernetes, deps_.clock)});
  party_ = std::make_unique<KubeParty>(
      KubePartyDeps{.loop = deps_.loop,
                    .clock = deps_.clock,
                    .metrics = deps_.metrics,
                    .config = config.kubernetes,
                    .node_name = node,
                    .cluster_blocks = config.blocks.source == "cluster",
                    .connect = connector(config.kubernetes, deps_.clock),
                    .hooks = {.node =
                                  [this](const std::string& text) {
                                    deps_.documents.take_node(text);
                                  },
                              .config =
                                  [this](const std::string& text) {
                                    deps_.documents.take_config(text);
                                  },
                              .blocks =
                                  [this] {
                                    if (claimer_) claimer_->changed();
                                  },
                              .back = [this] { writer_->api_is_back(); }}});
  events_ =
      std::make_unique<KubeEvents>(KubeEventsDeps{.loop = deps_.loop,
                                                  .clock = deps_.clock,
                                                  .metrics = deps_.metrics,
                                                  .writer = *writer_,
                                                  .node_name = node});
  make_reporter();
  if (config.blocks.source != "cluster") return;
  claimer_ = std::make_unique<BlockClaimer>(
      BlockClaimerDeps{.loop = deps_.loop,
                       .clock = deps_.clock,
                       .metrics = deps_.metrics,
                       .party = *party_,
                       .writer = *writer_,
                       .events = *events_,
                       .documents = deps_.documents});
  survey_ = std::make_unique<BlockSurvey>(BlockSurveyDeps{
      .clock = deps_.clock, .writer = *writer_, .node_name = node});
}

ClaimDesk KubeSide::claim_desk() {
  if (!claimer_) return {};
  ClaimDesk desk = claimer_->desk();
  desk.others = [this](const std::vector<Cidr>& missing) {
    return survey_->sample(missing);
  };
  desk.all_others = [this](auto done) { survey_->read_all(std::move(done)); };
  return desk;
}

void KubeSide::make_reporter() {
  const conf::Kubernetes& config = deps_.documents.config().kubernetes;
  reporter_ = std::make_unique<NodeReporter>(NodeReporterDeps{
      .loop = deps_.loop,
      .clock = deps_.clock,
      .writer = *writer_,
      .events = *events_,
      .node = [this] { return party_->node(); },
      .status = [this] { return deps_.service.status(); },
      .facts =
          [this] {
            const Documents& documents = deps_.documents;
            return NodeFacts{.node = documents.node_name(),
                             .status = deps_.service.status(),
                             .supply = deps_.describe_supply(),
                             .config_refused = documents.config_refused(),
                             .observed_config = documents.config_digest(),
                             .agent_version = LINSEY_VERSION};
          },
      .taint_waits = {.on = config.taint_after, .off = config.untaint_after},
      .node_name = deps_.documents.node_name()});
}

std::optional<std::set<std::string>> KubeSide::pod_names() const {
  const auto* pods = party_->pods();
  if (pods == nullptr) return std::nullopt;
  std::set<std::string> names;
  for (const auto& [name, pod] : *pods) {
    names.insert(name);
  }
  return names;
}

void KubeSide::start() {
  party_->start();
  reporter_->start();
}

void KubeSide::stop() {
  reporter_->stop();
  party_->stop();
  writer_->stop();
}

}  // namespace linsey::agent
