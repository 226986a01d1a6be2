#include "lab/daemon.h"

#include <signal.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <utility>

#include "base/file.h"
#include "base/log.h"
#include "lab/control.h"
#include "lab/desk.h"
#include "lab/lab_directory.h"
#include "lab/service.h"
#include "lab/shipped.h"
#include "lab/world.h"

namespace linsey::lab {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kTurn{20};
constexpr milliseconds kHandlersMayTake{5000};

/// The signals that mean "end"; blocked, so that they wait for end_asked().
sigset_t end_signals() {
  sigset_t out;
  (void)sigemptyset(&out);
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
    (void)sigaddset(&out, number);
  }
  return out;
}

bool end_asked() {
  const sigset_t wanted = end_signals();
  const timespec now{};
  return sigtimedwait(&wanted, nullptr, &now) > 0;
}

void serve_until_end(Desk& desk, World& world, const std::atomic<bool>& stop) {
  while (!stop && !end_asked()) {
    desk.turn(kTurn);
    world.supervise();
  }
}

/// Lets running commands finish, then ends all children.
void wind_down(Desk& desk, World& world, ControlServer& control,
               Service& service) {
  service.cancel();
  control.stop_accepting();
  const auto end = steady_clock::now() + kHandlersMayTake;
  while (control.busy() > 0 && steady_clock::now() < end) {
    desk.turn(kTurn);
  }
  world.shut_down();
  if (control.busy() == 0) return;
  log::warn("{} commands did not end; the lab ends without them",
            control.busy());
}

Result<void> join_all(Desk& desk, World& world, const DaemonHooks& hooks) {
  for (const auto& [name, node] : world.topology().nodes) {
    if (node.joins_later) continue;
    hooks.progress("starting node " + name);
    TRY(world.join(name));
    desk.turn(milliseconds(0));
  }
  return {};
}

Result<void> run_in(const LabDirectory& directory, WorldOptions world_options,
                    const DaemonHooks& hooks) {
  TRY(write_file_atomic(directory.path() + "/topology.json",
                        world_options.topology_text, {.sync = false}));
  TRY(log::configure({.file = directory.path() + "/lab.log"}));
  Desk desk;
  hooks.progress("building the data centre, the line and the VPC");
  const std::unique_ptr<World> world =
      TRY(World::build(std::move(world_options), desk));
  std::atomic<bool> stop = false;
  Service service(desk, *world, [&stop] { stop = true; });
  const std::unique_ptr<ControlServer> control = TRY(
      ControlServer::start(control_socket(directory.path()),
                           [&](const Json& request, const Progress& progress) {
                             return service.handle(request, progress);
                           }));
  Result<void> joined = join_all(desk, *world, hooks);
  if (joined) {
    hooks.up();
    serve_until_end(desk, *world, stop);
  }
  wind_down(desk, *world, *control, service);
  return joined;
}

}  // namespace

Result<void> run_daemon(const DaemonOptions& options,
                        const DaemonHooks& hooks) {
  WorldOptions world;
  world.topology = TRY(parse_topology(options.topology));
  world.topology_text = options.topology;
  if (!options.name.empty()) world.topology.name = options.name;
  world.directory = options.directory;
  world.agent_program = options.agent_program;
  world.plugin_program = options.plugin_program;
  world.conflist = shipped_conflist();
  if (ControlClient::connect(control_socket(options.directory))) {
    return make_error(Code::kTryAgainLater,
                      "a lab runs in {}; end it by `linsey-lab down`, or "
                      "choose another --name",
                      options.directory);
  }
  const sigset_t wanted = end_signals();
  (void)pthread_sigmask(SIG_BLOCK, &wanted, nullptr);
  const LabDirectory directory = TRY(LabDirectory::claim(options.directory));
  // Every child inherits it: a process that is left could be told by it.
  if (setenv("LINSEY_LAB", world.topology.name.c_str(), 1) != 0) {
    return errno_error(errno, "set LINSEY_LAB");
  }
  return run_in(directory, std::move(world), hooks);
}

}  // namespace linsey::lab
