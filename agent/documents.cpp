#include "agent/documents.h"

#include <sys/epoll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/sha1.h"
#include "conf/preflight.h"

namespace linsey::agent {
namespace {

/// Several files may be swapped together: wait until they have settled.
constexpr Duration kSettle = std::chrono::milliseconds(50);
/// Finds directories that come later, and changes without an event.
constexpr Duration kSlow = std::chrono::seconds(30);
constexpr char kKeptConfig[] = "config.json";
constexpr char kKeptMap[] = "config-map.json";
constexpr char kKeptNode[] = "node.json";

std::string directory_of(const std::string& path) {
  const auto slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

std::string own_name(const conf::AgentConfig& config) {
  if (!config.node.name.empty()) return config.node.name;
  for (const char* variable : {"LINSEY_NODE_NAME", "NODE_NAME"}) {
    const char* named = std::getenv(variable);
    if (named != nullptr && *named != '\0') return named;
  }
  std::array<char, 256> host{};
  if (gethostname(host.data(), host.size() - 1) != 0) return "localhost";
  return host.data();
}

/// The state directory that a refused document names, if that much of it can
/// be read: the last valid configuration is kept there.
std::string state_dir_of(const std::string& text) {
  const Result<Json> json = parse_json(text);
  const Json* named = json ? find_member(*json, "stateDir") : nullptr;
  if (named != nullptr && named->is_string()) return named->get<std::string>();
  return conf::AgentConfig{}.state_dir;
}

}  // namespace

Result<std::unique_ptr<Documents>> Documents::open(
    const std::string& config_file) {
  std::unique_ptr<Documents> documents(new Documents(config_file));
  TRY(documents->load_config());
  documents->node_name_ = own_name(documents->config_);
  documents->load_node();
  return documents;
}

Documents::Documents(std::string config_file)
    : config_file_(std::move(config_file)) {}

Documents::~Documents() {
  if (loop_ == nullptr) return;
  loop_->cancel(settle_timer_);
  loop_->cancel(slow_timer_);
  loop_->unwatch(inotify_.get());
}

std::string Documents::kept(const char* name) const {
  return config_.state_dir + "/" + name;
}

void Documents::keep(const char* name, const std::string& text) const {
  const Result<void> written =
      write_file_atomic(kept(name), text, {.mode = 0600, .sync = true});
  if (!written) {
    log::warn("keep the last valid {}: {}", name, to_string(written.error()));
  }
}

/// Two rules for this node: refused while an earlier document can stay in
/// force. The very first one is taken, and the node stands in quarantine.
Result<conf::AgentConfig> Documents::accept(conf::AgentConfig config,
                                            const std::string& text) const {
  TRY(check_against_node(config));
  std::vector<std::size_t> matching;
  const conf::Labels labels = known_node(config).labels;
  for (std::size_t i = 0; i < config.modes.size(); ++i) {
    if (config.modes[i].selector.matches(labels)) matching.push_back(i);
  }
  const bool earlier = !config_text_.empty() ||
                       path_exists(config.state_dir + "/" + kKeptConfig);
  if (matching.size() < 2 || !earlier) return config;
  const conf::ModeRule& first = config.modes[matching[0]];
  const conf::ModeRule& second = config.modes[matching[1]];
  if (config_text_.empty()) {
    // At a start the kept document must be another one, and sound.
    const Result<std::string> kept_text =
        read_file(config.state_dir + "/" + kKeptConfig);
    if (!kept_text || *kept_text == text) return config;
  }
  return make_error(Code::kInvalidConfig,
                    "/modes/{}: rules {} and {} both select this node, {}; "
                    "make their selectors exclude each other",
                    matching[1], first.name, second.name, own_name(config));
}

/// The proof of the configuration's networks, with this node's own addresses:
/// a pool that holds one would give it to a pod.
Result<void> Documents::check_against_node(
    const conf::AgentConfig& config) const {
  conf::Plan plan;
  conf::add_config(plan, config);
  const conf::Node node = known_node(config);
  plan.nodes.push_back({.name = node.name, .addresses = node.addresses});
  return conf::check_plan(conf::networks_of(plan));
}

/// What is known of this node, also before it is loaded.
conf::Node Documents::known_node(const conf::AgentConfig& config) const {
  if (!node_.name.empty()) return node_;
  for (const std::string& path :
       {config.node.file, config.state_dir + "/" + kKeptNode}) {
    const Result<std::string> text = read_file(path);
    Result<conf::Node> node =
        text ? conf::parse_node(*text) : Result<conf::Node>(text.error());
    if (node) return std::move(node).value();
  }
  return {};
}

/// The newest configuration: the ConfigMap's when the file asks for one and it
/// was ever seen; where this node's own things are, always says the file.
Documents::Newest Documents::newest() const {
  const Result<std::string> file = read_file(config_file_);
  Newest newest{config_file_, file.value_or(std::string()),
                file ? conf::parse_agent_config(*file)
                     : Result<conf::AgentConfig>(file.error())};
  if (!newest.config || newest.config->kubernetes.source == "off" ||
      newest.config->kubernetes.config_map.empty()) {
    return newest;
  }
  const conf::AgentConfig own = *newest.config;
  std::optional<std::string> shown = map_text_;
  if (!shown) {
    const Result<std::string> earlier =
        read_file(own.state_dir + "/" + kKeptMap);
    if (!earlier) return newest;
    shown = *earlier;
  }
  const conf::Kubernetes& map = own.kubernetes;
  newest = {fmt::format("{}/{}, key {}", map.config_map_namespace,
                        map.config_map, map.config_map_key),
            *shown, conf::parse_agent_config(*shown)};
  if (!newest.config) return newest;
  newest.config->kubernetes = own.kubernetes;
  newest.config->node = own.node;
  newest.config->socket = own.socket;
  newest.config->run_dir = own.run_dir;
  newest.config->state_dir = own.state_dir;
  return newest;
}

Result<void> Documents::load_config() {
  Newest found = newest();
  const bool from_map = found.where != config_file_;
  if (found.config) {
    found.config = accept(std::move(found.config).value(), found.text);
  }
  if (found.config) {
    config_ = std::move(found.config).value();
    config_refused_.reset();
    if (config_text_ == found.text) return {};
    config_text_ = found.text;
    TRY(make_directories(config_.state_dir, 0700));
    keep(kKeptConfig, config_text_);
    if (from_map) keep(kKeptMap, config_text_);
    return {};
  }
  const Error why =
      context(std::move(found.config), "configuration {}", found.where).error();
  config_refused_ = why;
  if (!config_text_.empty()) return {};  // the one in force stays
  const std::string earlier = state_dir_of(found.text) + "/" + kKeptConfig;
  const Result<std::string> kept_text = read_file(earlier);
  if (!kept_text) return why;
  Result<conf::AgentConfig> kept_config = conf::parse_agent_config(*kept_text);
  if (!kept_config) return why;
  config_ = std::move(kept_config).value();
  config_text_ = *kept_text;
  return {};
}

Result<conf::Node> Documents::parse_own_node(const std::string& text) const {
  conf::Node node = TRY(conf::parse_node(text));
  if (node.name != node_name_) {
    return make_error(Code::kInvalidConfig,
                      "/metadata/name: the object is of node {}, but this is "
                      "node {}; set node.name or LINSEY_NODE_NAME",
                      node.name, node_name_);
  }
  return node;
}

Result<std::string> Documents::node_text() const {
  if (config_.kubernetes.source == "off") return read_file(config_.node.file);
  if (node_text_) return *node_text_;
  return make_error(Code::kApiUnavailable,
                    "the API server has not shown it since the start");
}

void Documents::load_node() {
  const Result<std::string> text = node_text();
  Result<conf::Node> parsed =
      text ? parse_own_node(*text) : Result<conf::Node>(text.error());
  if (parsed) {
    node_refused_.reset();
    node_error_.reset();
    if (node_ == *parsed) return;
    node_ = std::move(parsed).value();
    keep(kKeptNode, *text);
    return;
  }
  node_refused_ = context(std::move(parsed), "node object {}",
                          config_.kubernetes.source == "off" ? config_.node.file
                                                             : node_name_)
                      .error();
  if (!node_.name.empty()) return;  // the one in force stays
  const Result<std::string> kept_text = read_file(kept(kKeptNode));
  Result<conf::Node> kept_node = kept_text
                                     ? parse_own_node(*kept_text)
                                     : Result<conf::Node>(kept_text.error());
  if (kept_node) {
    node_ = std::move(kept_node).value();
    node_error_.reset();
    return;
  }
  node_error_ = make_error(Code::kNodeUnknown,
                           "node {} is not known, and was never before: {}",
                           node_name_, node_refused_->msg);
}

std::string Documents::config_digest() const {
  return sha1_hex(config_text_).substr(0, 12);
}

void Documents::take_node(std::string text) {
  node_text_ = std::move(text);
  look();
}

void Documents::take_config(std::string text) {
  map_text_ = std::move(text);
  look();
}

bool Documents::reload() {
  const std::string config_before = config_text_;
  const conf::Node node_before = node_;
  const auto refused_before =
      std::tuple(config_refused_, node_refused_, node_error_);
  // First the node: a configuration is judged by its labels. And once more,
  // since the configuration says where the node's file is.
  load_node();
  (void)load_config();  // cannot fail: there is one in force
  load_node();
  return config_before != config_text_ || node_before != node_ ||
         refused_before !=
             std::tuple(config_refused_, node_refused_, node_error_);
}

Result<void> Documents::watch(Loop& loop, std::function<void()> changed) {
  inotify_ = UniqueFd(inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (!inotify_) return errno_error(errno, "inotify");
  loop_ = &loop;
  changed_ = std::move(changed);
  loop.watch(inotify_.get(), EPOLLIN, "documents",
             [this](std::uint32_t) { on_inotify(); });
  look_now_and_then();
  return {};
}

void Documents::add_watches() {
  for (const std::string& directory :
       {directory_of(config_file_), directory_of(config_.node.file)}) {
    // Repeated for a directory that came later or was replaced; one that is
    // watched already stays so.
    (void)inotify_add_watch(
        inotify_.get(), directory.c_str(),
        IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_ONLYDIR);
  }
}

void Documents::look_now_and_then() {
  add_watches();
  look();
  slow_timer_ =
      loop_->after(kSlow, "documents", [this] { look_now_and_then(); });
}

void Documents::on_inotify() {
  alignas(inotify_event) std::array<char, 4096> events{};
  while (::read(inotify_.get(), events.data(), events.size()) > 0) {
  }
  loop_->cancel(settle_timer_);
  settle_timer_ = loop_->after(kSettle, "reload documents", [this] { look(); });
}

void Documents::look() {
  if (!reload()) return;
  for (const auto& refused : {config_refused_, node_refused_}) {
    if (!refused) continue;
    log::error("refused, the last valid one stays in force: {}",
               to_string(*refused));
  }
  changed_();
}

}  // namespace linsey::agent
