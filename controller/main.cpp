// linsey-controller: cluster-wide work on pools and blocks; see planner.h.
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <memory>
#include <string>

#include <CLI/CLI.hpp>

#include "base/log.h"
#include "controller/controller.h"
#include "controller/lease.h"
#include "kube/credentials.h"
#include "kube/transport.h"

namespace {

using namespace linsey;

struct Flags {
  std::string kubeconfig;
  std::string name_space = "kube-system";
  std::string identity;
  std::string log_level = "info";
};

std::string default_identity() {
  constexpr std::size_t kLength = 256;
  std::string host(kLength, '\0');
  (void)::gethostname(host.data(), host.size() - 1);
  return std::string(host.c_str()) + "-" + std::to_string(::getpid());
}

/// Ticks every second until a signal comes; the lease every five.
int serve(const Flags& flags, kube::Endpoint endpoint, const sigset_t& ends) {
  const SteadyClock clock;
  const auto who =
      std::make_shared<kube::Credentials>(std::move(endpoint), clock);
  const auto connect = [&] { return kube::make_transport(who); };
  const auto transport = connect();
  kube::Client client(*transport);
  controller::Leader leader(
      client, clock,
      {.name_space = flags.name_space, .identity = flags.identity});
  controller::Controller work(connect, clock);
  bool led = false;
  constexpr unsigned kRenewEvery = 5;
  for (unsigned second = 0;; ++second) {
    if (second % kRenewEvery == 0) {
      const Result<void> done = leader.tick();
      if (!done) log::warn("lease: {}", to_string(done.error()));
    }
    if (leader.leads() != led) {
      led = leader.leads();
      log::info("{} {}", flags.identity, led ? "leads" : "stands by");
    }
    (void)work.tick(led);
    const timespec second_long{.tv_sec = 1, .tv_nsec = 0};
    if (::sigtimedwait(&ends, nullptr, &second_long) > 0) break;
  }
  leader.resign();
  return 0;
}

int run(const Flags& flags) {
  const Result<log::Level> level = log::parse_level(flags.log_level);
  if (!level) {
    log::error("{}", to_string(level.error()));
    return 2;
  }
  (void)log::configure({.level = *level});  // to stderr, which is open
  sigset_t ends;
  (void)sigemptyset(&ends);
  (void)sigaddset(&ends, SIGTERM);
  (void)sigaddset(&ends, SIGINT);
  // Before any thread starts, so that all inherit it.
  (void)pthread_sigmask(SIG_BLOCK, &ends, nullptr);
  Result<kube::Endpoint> endpoint =
      flags.kubeconfig.empty() ? kube::in_cluster()
                               : kube::read_kubeconfig(flags.kubeconfig);
  if (!endpoint) {
    log::error("{}", to_string(endpoint.error()));
    return 2;
  }
  return serve(flags, std::move(*endpoint), ends);
}

}  // namespace

int main(int argc, char** argv) {
  Flags flags{.identity = default_identity()};
  CLI::App app(
      "Cluster-wide work of Linsey: validity of pools, blocks of nodes "
      "that are gone. Several may run; one acts, by a Lease.");
  app.add_option("--kubeconfig", flags.kubeconfig,
                 "a kubeconfig; default: the pod's service account");
  app.add_option("--namespace", flags.name_space, "of the Lease")
      ->capture_default_str();
  app.add_option("--identity", flags.identity, "holder's name in the Lease")
      ->capture_default_str();
  app.add_option("--log-level", flags.log_level, "debug, info, warn or error")
      ->capture_default_str();
  app.set_version_flag("--version", "linsey-controller " LINSEY_VERSION);
  CLI11_PARSE(app, argc, argv);
  return run(flags);
}
