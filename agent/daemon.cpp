#include "agent/daemon.h"

#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <thread>
#include <utility>

#include "agent/ledger_metrics.h"
#include "agent/views.h"
#include "base/log.h"

namespace linsey::agent {
namespace {

ipam::LedgerOptions ledger_options(const conf::AgentConfig& config) {
  ipam::LedgerOptions options;
  options.cool_down = config.ipam.cool_down;
  options.cool_down_min = config.ipam.cool_down_min;
  return options;
}

/// Short enough for a walk and its repetitions to end before any cool-down.
Duration gather_time(const ipam::LedgerOptions& options) {
  return std::min<Duration>(std::chrono::seconds(1), options.cool_down_min / 8);
}

/// Of those that cool: an agent that was killed may have had no time for it.
std::vector<IpAddr> cooling(const ipam::Ledger& ledger, Instant now) {
  std::vector<IpAddr> addresses;
  for (const ipam::AddressRow& row : ledger.rows(now)) {
    if (row.state == ipam::State::kCooling) addresses.push_back(row.address);
  }
  return addresses;
}

sigset_t ending_signals() {
  sigset_t set;
  (void)sigemptyset(&set);
  (void)sigaddset(&set, SIGTERM);
  (void)sigaddset(&set, SIGINT);
  return set;
}

// A child that an agent had just forked when it was killed shares the lock
// until it executes its program; another agent holds it for good.
constexpr Duration kLockWait = std::chrono::seconds(3);
constexpr Duration kLockPause = std::chrono::milliseconds(20);

/// The directory itself where no file can be made in it: DEL must be served
/// from a full or read-only disk too.
Result<FileLock> lock_state(const std::string& directory) {
  const SteadyClock clock;
  const Instant end = clock.now() + kLockWait;
  for (;;) {
    Result<FileLock> lock = FileLock::acquire(directory + "/agent.lock");
    if (lock) return lock;
    if (lock.error().code != Code::kTryAgainLater) {
      return FileLock::acquire(directory);
    }
    if (clock.now() >= end) return lock;
    std::this_thread::sleep_for(kLockPause);
  }
}

Result<void> configure_log(const conf::Log& log) {
  const log::Level level = TRY(log::parse_level(log.level));
  return log::configure(
      {.level = level,
       .format = log.format == "json" ? log::Format::kJson : log::Format::kText,
       .file = {}});
}

}  // namespace

Daemon::Daemon(std::unique_ptr<Documents> documents)
    : documents_(std::move(documents)) {}

Result<std::unique_ptr<Daemon>> Daemon::open(const std::string& config_file,
                                             const SupplierFactory& factory) {
  // Blocked before any thread starts, so that only the loop hears them.
  const sigset_t ending = ending_signals();
  (void)pthread_sigmask(SIG_BLOCK, &ending, nullptr);
  (void)signal(SIGPIPE, SIG_IGN);

  std::unique_ptr<Documents> documents = TRY(Documents::open(config_file));
  TRY(configure_log(documents->config().log));
  if (documents->config_refused()) {
    log::error("refused, the last valid one is in force: {}",
               to_string(*documents->config_refused()));
  }
  std::unique_ptr<Daemon> daemon(new Daemon(std::move(documents)));
  TRY(daemon->open_state());
  daemon->links_ = TRY(HostLinks::start(daemon->loop_));
  daemon->wire_ports();
  daemon->wire_service();
  daemon->wire_supply(factory);
  daemon->wire_kube();
  daemon->wire_views();
  return daemon;
}

Result<void> Daemon::open_state() {
  const conf::AgentConfig& config = documents_->config();
  TRY(make_directories(config.state_dir, 0700));
  lock_ = TRY(context(lock_state(config.state_dir),
                      "is another linseyd running? lock {}", config.state_dir));
  boot_id_ = TRY(boot_id());
  ipam::Store::Opened opened =
      TRY(ipam::Store::open({.path = config.state_dir + "/ledger.db",
                             .boot_id = boot_id_,
                             .ledger = ledger_options(config)},
                            clock_.now()));
  for (const Error& warning : opened.loaded.warnings) {
    log::error("ledger: {}", to_string(warning));
    if (warning.code == Code::kStateCorrupt ||
        warning.code == Code::kProtocolMismatch) {
      kernel_is_witness_ = true;
    }
    if (warning.code != Code::kStateCorrupt) unwritable_ = warning;
  }
  if (opened.loaded.fresh) kernel_is_witness_ = true;
  store_ = std::move(opened.store);
  ledger_ = std::move(opened.loaded.ledger);
  return {};
}

void Daemon::wire_ports() {
  forgetter_ = std::make_unique<Forgetter>(ForgetterDeps{
      .loop = loop_,
      .worker = kernel_worker_,
      .metrics = metrics_,
      .cool_down = [this] { return ledger_.options().cool_down; },
      .gather = [this] { return gather_time(ledger_.options()); }});
  ports_ = std::make_unique<HostPorts>(
      [this](const std::string& script) -> Result<void> {
        if (!nft_) nft_ = TRY(netlink::Nft::open());
        return nft_->run(script);
      });
  metrics_.describe_gauge("linsey_host_ports", "Host ports that are mapped.");
  metrics_.on_collect([this] {
    metrics_.set("linsey_host_ports", static_cast<double>(ports_->count()));
  });
}

PortHooks Daemon::port_hooks() {
  return {
      .open = [this](const ipam::Held& held) -> Result<void> {
        TRY(ports_->open(held));
        for (const ipam::PortMapping& mapping : held.attachment.port_mappings) {
          if (mapping.protocol == "udp") {
            forgetter_->forget_udp(mapping.host_port);
          }
        }
        return {};
      },
      .close =
          [this](const ipam::AttachmentKey& key) {
            return ports_->close(key);
          }};
}

HeldHooks Daemon::held_hooks() {
  return {.put =
              [this](const ipam::Held& held) {
                held_table_->put(held);
                const Standing& standing = service_->standing();
                decisions_->given(held, standing.mode, standing.why);
              },
          .drop =
              [this](const ipam::AttachmentKey& key) {
                const Result<void> dropped = held_table_->drop(key);
                if (!dropped) log::warn("{}", to_string(dropped.error()));
              }};
}

void Daemon::wire_service() {
  held_table_.emplace(documents_->config().socket);
  service_ = std::make_unique<Service>(ServiceDeps{
      .loop = loop_,
      .clock = clock_,
      .ledger = ledger_,
      .metrics = metrics_,
      .config = documents_->config(),
      .save = [this] { return store_->save(ledger_, clock_.now()); },
      .take_down =
          [this](const Teardown& teardown, TeardownDone done) {
            links_->take_down(teardown, std::move(done));
          },
      .sweep = [this](const auto& keep,
                      auto done) { reconciler_->sweep(keep, std::move(done)); },
      .ports = port_hooks(),
      .held = held_hooks(),
      .allocating = [this] { links_->leave_events_alone(); },
      .forget =
          [this](const std::vector<IpAddr>& addresses) {
            forgetter_->forget(addresses);
          },
      .refused =
          [this](const ipam::Attachment& attachment, const Error& why) {
            decisions_->refused(attachment, why);
            if (kube_) kube_->events().pod_refused(attachment.pod, why);
          }});
  if (unwritable_) service_->set_save_error(*unwritable_);
  decisions_ = std::make_unique<Decisions>(DecisionDeps{
      .clock = clock_,
      .ledger = ledger_,
      .status =
          [this] {
            rpc::Status status = service_->status();
            status.node = documents_->node_name();
            return status;
          },
      .waiting = [this] { return service_->waiting_attachments(); },
      .pods = [this] { return kube_ ? kube_->pod_names() : std::nullopt; }});
  reconciler_ = std::make_unique<Reconciler>(ReconcilerDeps{
      .loop = loop_,
      .worker = kernel_worker_,
      .clock = clock_,
      .ledger = ledger_,
      .service = *service_,
      .links = *links_,
      .metrics = metrics_,
      .pods = [this] { return kube_ ? kube_->pod_names() : std::nullopt; }});
  notes_ = std::make_unique<Notes>(
      NotesDeps{.loop = loop_,
                .metrics = metrics_,
                .directory = documents_->config().state_dir + "/notes",
                .boot_id = boot_id_,
                .free = [this](const ipam::AttachmentKey& key,
                               const ipam::Pod& pod, auto done) {
                  service_->free_now(key, pod, std::move(done));
                }});
  loop_.set_after_turn([this] { service_->commit(); });
}

void Daemon::wire_supply(const SupplierFactory& factory) {
  placement_ = std::make_unique<Placement>(PlacementDeps{
      .loop = loop_,
      .worker = node_worker_,
      .documents = *documents_,
      .ledger = ledger_,
      .service = *service_,
      .metrics = metrics_,
      .make_supplier = [this, factory](conf::Mode mode) {
        return factory(mode,
                       {.loop = loop_,
                        .clock = clock_,
                        .ledger = ledger_,
                        .config = documents_->config(),
                        .node = documents_->node(),
                        .worker = supply_worker_,
                        .metrics = metrics_,
                        .hooks = service_->supply_hooks(),
                        .claims = kube_ ? kube_->claim_desk() : ClaimDesk{}});
      }});
  conflist_ = std::make_unique<Conflist>(
      ConflistDeps{.loop = loop_,
                   .worker = node_worker_,
                   .metrics = metrics_,
                   .config = documents_->config(),
                   .ready = [this] { return service_->status().ready; }});
}

void Daemon::wire_kube() {
  if (documents_->config().kubernetes.source == "off") return;
  kube_ = std::make_unique<KubeSide>(KubeSideDeps{
      .loop = loop_,
      .clock = clock_,
      .metrics = metrics_,
      .documents = *documents_,
      .service = *service_,
      .describe_supply = [this] {
        Supplier* supplier = placement_->supplier();
        return supplier == nullptr ? std::string() : supplier->describe();
      }});
}

void Daemon::wire_views() {
  api_ = std::make_unique<Api>(ApiDeps{
      .loop = loop_,
      .service = *service_,
      .metrics = metrics_,
      .node_name = documents_->node_name(),
      .views = {{"/v1/node", [this] { return placement_->describe(); }},
                {"/v1/pods",
                 [this] {
                   return names_json(kube_ ? kube_->pod_names() : std::nullopt);
                 }},
                {"/v1/ipam",
                 [this] {
                   Supplier* supplier = placement_->supplier();
                   return ledger_json(
                       ledger_, supplier == nullptr ? "" : supplier->describe(),
                       clock_.now());
                 }}},
      .actions = {
          {"/v1/explain",
           [this](std::string_view body) { return decisions_->explain(body); }},
          {"/v1/drain-routes",
           [this](std::string_view body) { return drain(body); }},
          {"/v1/bgp-check",
           [this](std::string_view) { return check_propagation(); }}}});
  describe_ledger({.metrics = metrics_,
                   .ledger = ledger_,
                   .clock = clock_,
                   .loop = loop_,
                   .mode = [this] { return service_->standing().mode; }});
}

Result<std::string> Daemon::drain(std::string_view body) {
  const DrainWish wish = TRY(parse_drain_wish(body));
  Supplier* supplier = placement_->supplier();
  if (supplier == nullptr) {
    return make_error(Code::kModeUnknown,
                      "this node's mode is not decided, so it has no routes");
  }
  TRY(supplier->drain_routes(wish));
  return std::string("{}");
}

Result<std::string> Daemon::check_propagation() {
  Supplier* supplier = placement_->supplier();
  if (supplier == nullptr) {
    return make_error(Code::kModeUnknown,
                      "this node's mode is not decided, so it has no routes");
  }
  const std::uint64_t number = TRY(supplier->check_propagation());
  return fmt::format(R"({{"number": {}}})", number);
}

Result<void> Daemon::watch_signals() {
  const sigset_t ending = ending_signals();
  signals_ = UniqueFd(signalfd(-1, &ending, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals_) return errno_error(errno, "signalfd");
  loop_.watch(signals_.get(), EPOLLIN, "signals",
              [this](std::uint32_t) { shut_down(); });
  return {};
}

Result<void> Daemon::run() {
  const conf::AgentConfig& config = documents_->config();
  TRY(watch_signals());
  TRY(documents_->watch(loop_, [this] {
    ledger_.set_options(ledger_options(documents_->config()));
    (void)configure_log(documents_->config().log);  // checked when it was read
    placement_->documents_changed();
  }));
  TRY(make_directories(config.run_dir, 0700));
  // Before anything is served: what the kernel shows, what the plugin left.
  TRY(reconciler_->at_start(kernel_is_witness_));
  const Result<void> restored = ports_->restore(ledger_.held());
  if (!restored) log::error("{}", to_string(restored.error()));
  TRY(held_table_->restore(ledger_.held()));
  forgetter_->forget(cooling(ledger_, clock_.now()));
  notes_->start();
  TRY(api_->listen(config.socket, config.metrics_listen));
  log::info("linseyd serves node {} on {}", documents_->node_name(),
            config.socket);
  placement_->start();
  conflist_->start();
  reconciler_->start();
  if (kube_) kube_->start();
  loop_.run();
  return {};
}

void Daemon::shut_down() {
  log::info("linseyd ends; kernel and conflist stay as they are");
  api_->stop_accepting();
  if (kube_) kube_->stop();
  placement_->stop();
  service_->stop();
  loop_.stop();
}

}  // namespace linsey::agent
