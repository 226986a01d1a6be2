#include "agent/kube_side.h"

#include <functional>

namespace linsey::agent {

KubeSide::KubeSide(KubeSideDeps deps)
    : deps_(deps), worker_(deps.loop, "kube") {
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
                              .blocks = [] {},
                              .back = [this] { writer_->api_is_back(); }}});
}

void KubeSide::start() {
  party_->start();
}

void KubeSide::stop() {
  party_->stop();
  writer_->stop();
}

}  // namespace linsey::agent
