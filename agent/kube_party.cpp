#include "agent/kube_party.h"

#include <utility>

#include "agent/kube_mirror.h"
#include "base/json.h"
#include "base/log.h"
#include "kube/credentials.h"

namespace linsey::agent {
namespace {

constexpr Duration kRetry = std::chrono::seconds(10);
constexpr Duration kMinute = std::chrono::minutes(1);
constexpr std::size_t kHour = 60;

Json member(const Json& object, const char* key, const Json& otherwise) {
  const auto found = object.find(key);
  return found == object.end() || found->is_null() ? otherwise : *found;
}

std::string text_of(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>()
                                                     : std::string();
}

/// Cut down to what counts, so that a heartbeat changes nothing.
Result<NodeSeen> read_node(const Json& object) {
  const Json none = Json::object();
  const Json metadata = member(object, "metadata", none);
  const Json spec = member(object, "spec", none);
  const Json status = member(object, "status", none);
  if (!metadata.is_object() || !spec.is_object() || !status.is_object()) {
    return make_error(Code::kApiBadReply, "the reply is no node object");
  }
  const Json kept = {
      {"metadata",
       {{"name", text_of(metadata, "name")},
        {"uid", text_of(metadata, "uid")},
        {"labels", member(metadata, "labels", none)}}},
      {"spec",
       {{"providerID", text_of(spec, "providerID")},
        {"unschedulable", member(spec, "unschedulable", Json(false))}}},
      {"status", {{"addresses", member(status, "addresses", Json::array())}}}};
  return NodeSeen{
      .text = dump_json(kept),
      .uid = text_of(metadata, "uid"),
      .resource_version = text_of(metadata, "resourceVersion"),
      .taints = dump_json(member(spec, "taints", Json::array())),
      .conditions = dump_json(member(status, "conditions", Json::array()))};
}

Result<PodSeen> read_pod(const Json& object) {
  return PodSeen{text_of(member(object, "metadata", Json::object()), "uid")};
}

template <typename T>
const std::map<std::string, T>* if_known(
    const std::unique_ptr<KubeMirror<T>>& mirror) {
  return mirror && mirror->known() ? &mirror->objects() : nullptr;
}

}  // namespace

struct KubeParty::Watches {
  std::unique_ptr<KubeMirror<NodeSeen>> node;
  std::unique_ptr<KubeMirror<PodSeen>> pods;
  std::unique_ptr<KubeMirror<std::string>> config;
  std::unique_ptr<KubeMirror<kube::IpPool>> pools;
  std::unique_ptr<KubeMirror<kube::IpBlock>> blocks;

  template <typename Visit>
  void each(Visit visit) {
    if (node) visit(*node);
    if (pods) visit(*pods);
    if (config) visit(*config);
    if (pools) visit(*pools);
    if (blocks) visit(*blocks);
  }
};

KubeParty::KubeParty(KubePartyDeps deps) : deps_(std::move(deps)) {
  Metrics& metrics = deps_.metrics;
  metrics.describe_gauge("linsey_api_current",
                         "1 while the copy of what the API server shows is "
                         "complete and current.");
  metrics.describe_counter("linsey_api_watch_bytes_total",
                           "Bytes of watches on the line to the API server.");
  metrics.describe_counter("linsey_api_lists_total",
                           "Whole lists that were read, by watch.");
  metrics.describe_gauge("linsey_api_watch_bytes_last_hour",
                         "Bytes of all watches in the last 60 minutes.");
  metrics.on_collect([this] { collect(); });
}

KubeParty::~KubeParty() {
  stop();
  if (watches_) watches_->each([](auto& mirror) { mirror.stop(); });
}

void KubeParty::start() {
  try_start();
  count_hour();
}

void KubeParty::stop() {
  deps_.loop.cancel(timer_);
  deps_.loop.cancel(minute_);
  if (watches_) watches_->each([](auto& mirror) { mirror.ask_to_stop(); });
}

void KubeParty::try_start() {
  const Result<void> made = make_watches();
  if (made) {
    watches_->each([](auto& mirror) { mirror.start(); });
    return;
  }
  watches_.reset();
  log::error("the API server cannot be asked: {}", to_string(made.error()));
  timer_ = deps_.loop.after(kRetry, "API server", [this] { try_start(); });
}

Result<void> KubeParty::make_watches() {
  auto made = std::make_unique<Watches>();
  std::uint64_t seed = std::hash<std::string>{}(deps_.node_name);
  const auto make = [&](auto& mirror, const char* name,
                        kube::WatchOptions watch, auto parse,
                        std::function<void()> changed) -> Result<void> {
    watch.seed = ++seed;
    using Mirror = std::remove_reference_t<decltype(*mirror)>;
    mirror = std::make_unique<Mirror>(
        deps_.loop, TRY(deps_.connect()),
        typename Mirror::Options{name, std::move(watch), std::move(parse),
                                 std::move(changed)});
    return {};
  };
  const auto named = [](const std::string& name) {
    return kube::Selection{.label_selector = {},
                           .field_selector = "metadata.name=" + name};
  };
  TRY(make(made->node, "node",
           {.type = kube::kNodes, .which = named(deps_.node_name)}, read_node,
           [this] { node_changed(); }));
  TRY(make(made->pods, "pods",
           {.type = kube::kPods,
            .which = {.label_selector = {},
                      .field_selector = "spec.nodeName=" + deps_.node_name}},
           read_pod, [] {}));
  const conf::Kubernetes& config = deps_.config;
  if (!config.config_map.empty()) {
    TRY(make(
        made->config, "config",
        {.type = kube::kConfigMaps,
         .name_space = config.config_map_namespace,
         .which = named(config.config_map)},
        [key = config.config_map_key](const Json& map) -> Result<std::string> {
          const Json data = member(map, "data", Json::object());
          if (data.contains(key)) return text_of(data, key.c_str());
          return make_error(Code::kInvalidConfig, "it has no key {}", key);
        },
        [this] { config_changed(); }));
  }
  if (deps_.cluster_blocks) {
    TRY(make(made->pools, "pools", {.type = kube::kIpPools}, kube::read_pool,
             deps_.hooks.blocks));
    TRY(make(made->blocks, "blocks",
             {.type = kube::kIpBlocks,
              .which = {.label_selector = fmt::format("{}={}", kube::kNodeLabel,
                                                      deps_.node_name),
                        .field_selector = {}}},
             kube::read_block, deps_.hooks.blocks));
  }
  watches_ = std::move(made);
  return {};
}

void KubeParty::node_changed() {
  const bool reachable = watches_->node->current();
  if (reachable && !reachable_) deps_.hooks.back();
  reachable_ = reachable;
  const NodeSeen* seen = node();
  if (seen == nullptr || seen->text == told_node_) return;
  told_node_ = seen->text;
  deps_.hooks.node(told_node_);
}

void KubeParty::config_changed() {
  const auto& found = watches_->config->objects();
  if (found.empty() || found.begin()->second == told_config_) return;
  told_config_ = found.begin()->second;
  deps_.hooks.config(told_config_);
}

const NodeSeen* KubeParty::node() const {
  if (!watches_ || watches_->node->objects().empty()) return nullptr;
  return &watches_->node->objects().begin()->second;
}

const std::map<std::string, PodSeen>* KubeParty::pods() const {
  if (!watches_ || !watches_->pods->current()) return nullptr;
  return &watches_->pods->objects();
}

const std::map<std::string, kube::IpPool>* KubeParty::pools() const {
  return watches_ ? if_known(watches_->pools) : nullptr;
}

const std::map<std::string, kube::IpBlock>* KubeParty::blocks() const {
  return watches_ ? if_known(watches_->blocks) : nullptr;
}

bool KubeParty::blocks_current() const {
  return watches_ && watches_->pools && watches_->pools->current() &&
         watches_->blocks->current();
}

bool KubeParty::reachable() const {
  return reachable_;
}

void KubeParty::collect() {
  if (!watches_) return;
  const auto count = [this](const std::string& name, const MetricLabels& labels,
                            std::uint64_t total) {
    std::string series = name;
    for (const auto& [key, value] : labels) {
      series += " " + value;
    }
    std::uint64_t& before = counted_[series];
    deps_.metrics.count(name, labels, static_cast<double>(total - before));
    before = total;
  };
  std::uint64_t sum = 0;
  watches_->each([&](const auto& mirror) {
    const std::string watch = mirror.name();
    const kube::Traffic traffic = mirror.traffic();
    sum += traffic.received + traffic.sent;
    deps_.metrics.set("linsey_api_current", mirror.current() ? 1 : 0,
                      {{"watch", watch}});
    count("linsey_api_watch_bytes_total",
          {{"watch", watch}, {"direction", "received"}}, traffic.received);
    count("linsey_api_watch_bytes_total",
          {{"watch", watch}, {"direction", "sent"}}, traffic.sent);
    count("linsey_api_lists_total", {{"watch", watch}}, mirror.lists());
  });
  const std::uint64_t hour_ago = minutes_.empty() ? 0 : minutes_.front();
  deps_.metrics.set("linsey_api_watch_bytes_last_hour",
                    static_cast<double>(sum - std::min(sum, hour_ago)));
}

/// What stood at the end of each of the last 60 minutes; the oldest is what the
/// last hour began with.
void KubeParty::count_hour() {
  std::uint64_t sum = 0;
  if (watches_) {
    watches_->each([&](const auto& mirror) {
      const kube::Traffic traffic = mirror.traffic();
      sum += traffic.received + traffic.sent;
    });
  }
  minutes_.push_back(sum);
  if (minutes_.size() > kHour) minutes_.erase(minutes_.begin());
  minute_ =
      deps_.loop.after(kMinute, "bytes of watches", [this] { count_hour(); });
}

std::function<Result<std::unique_ptr<kube::Transport>>()> connector(
    const conf::Kubernetes& config, const Clock& clock) {
  return [config, &clock]() -> Result<std::unique_ptr<kube::Transport>> {
    kube::Endpoint endpoint =
        TRY(config.source == "in-cluster"
                ? kube::in_cluster()
                : kube::read_kubeconfig(config.kubeconfig));
    // shared_ptr: each transport keeps its own until its last call has ended.
    return kube::make_transport(
        std::make_shared<kube::Credentials>(std::move(endpoint), clock));
  };
}

}  // namespace linsey::agent
