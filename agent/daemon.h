// Daemon: the parts of a running agent, owned in the order in which they may
// use one another. main.cpp wires it; nothing else knows all of it.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "agent/api.h"
#include "agent/conflist.h"
#include "agent/decisions.h"
#include "agent/documents.h"
#include "agent/forgetter.h"
#include "agent/host_links.h"
#include "agent/host_ports.h"
#include "agent/kube_side.h"
#include "agent/loop.h"
#include "agent/metrics.h"
#include "agent/notes.h"
#include "agent/placement.h"
#include "agent/reconciler.h"
#include "agent/service.h"
#include "agent/supplier.h"
#include "agent/worker.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/result.h"
#include "ipam/store.h"
#include "netlink/nft.h"
#include "rpc/held_table.h"

namespace linsey::agent {

/// Makes the supplier of a mode. Called by Placement when it is decided.
using SupplierFactory = std::function<Result<std::unique_ptr<Supplier>>(
    conf::Mode, const SupplierDeps&)>;

class Daemon {
 public:
  /// Everything up to the open ledger; nothing is served yet. Errors: those of
  /// Documents::open, ipam::Store::open, HostLinks::start; kTryAgainLater when
  /// another linseyd has the state directory.
  static Result<std::unique_ptr<Daemon>> open(const std::string& config_file,
                                              const SupplierFactory& factory);

  /// Serves until a SIGTERM or SIGINT. Waiters are answered then, the ledger is
  /// saved; kernel and conflist stay as they are. Errors: kIo, kPermission for
  /// the socket.
  Result<void> run();

 private:
  explicit Daemon(std::unique_ptr<Documents> documents);
  Result<void> open_state();
  Result<void> watch_signals();
  void wire_ports();
  PortHooks port_hooks();
  HeldHooks held_hooks();
  void wire_service();
  void wire_supply(const SupplierFactory& factory);
  void wire_kube();
  void wire_views();
  Result<std::string> drain(std::string_view body);
  Result<std::string> check_propagation();
  void shut_down();

  SteadyClock clock_;
  Loop loop_{clock_};
  std::unique_ptr<Documents> documents_;
  std::optional<FileLock> lock_;
  Metrics metrics_;
  std::optional<ipam::Store> store_;
  ipam::Ledger ledger_;
  std::string boot_id_;
  bool kernel_is_witness_ = false;   // the ledger was lost or damaged
  std::optional<Error> unwritable_;  // why the ledger cannot be saved
  UniqueFd signals_;
  Worker node_worker_{loop_, "node"};
  Worker supply_worker_{loop_, "supply"};
  Worker kernel_worker_{loop_, "kernel"};
  std::unique_ptr<HostLinks> links_;
  std::unique_ptr<Forgetter> forgetter_;
  std::optional<netlink::Nft> nft_;
  std::unique_ptr<HostPorts> ports_;
  std::optional<rpc::HeldTable> held_table_;
  std::unique_ptr<Service> service_;
  std::unique_ptr<Decisions> decisions_;
  std::unique_ptr<Reconciler> reconciler_;
  std::unique_ptr<Notes> notes_;
  std::unique_ptr<Placement> placement_;
  std::unique_ptr<KubeSide> kube_;  // null: no API server is configured
  std::unique_ptr<Api> api_;
  std::unique_ptr<Conflist> conflist_;
};

}  // namespace linsey::agent
