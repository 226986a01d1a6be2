// linseyd: the agent. One process a node; see docs/architecture.md.
#include <getopt.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

#include "agent/block_supplier.h"
#include "agent/daemon.h"
#include "agent/eni_supplier.h"
#include "base/file.h"
#include "base/log.h"
#include "bgp/supervisor.h"
#include "conf/agent_config.h"

namespace {

using namespace linsey;

constexpr char kUsage[] =
    "usage: linseyd [--config FILE] [--check]\n"
    "  --config FILE  the agent's configuration "
    "(default /etc/linsey/agent.json)\n"
    "  --check        read the configuration, say what is wrong, and exit\n"
    "       linseyd bird-supervisor [--bird-config FILE] [--bird-socket FILE] "
    "[--bird PROGRAM]\n"
    "                 keeps BIRD running; SIGHUP restarts it, SIGTERM ends "
    "both,\n"
    "                 routes stay (docs/bgp.md)\n"
    "  --version      print the version and exit\n"
    "  --help         print this and exit\n";

struct Options {
  std::string config_file = "/etc/linsey/agent.json";
  bool check = false;
  bool supervise_bird = false;
  bgp::SupervisorOptions bird;
};

[[noreturn]] void leave(int code, const char* text) {
  (void)std::fputs(text, code == 0 ? stdout : stderr);
  std::exit(code);
}

Options parse_options(int argc, char** argv) {
  static constexpr option kOptions[] = {
      {"config", required_argument, nullptr, 'c'},
      {"check", no_argument, nullptr, 'k'},
      {"bird-config", required_argument, nullptr, 'f'},
      {"bird-socket", required_argument, nullptr, 's'},
      {"bird", required_argument, nullptr, 'b'},
      {"version", no_argument, nullptr, 'v'},
      {"help", no_argument, nullptr, 'h'},
      {nullptr, 0, nullptr, 0}};
  Options options;
  for (;;) {
    const int found = getopt_long(argc, argv, "c:h", kOptions, nullptr);
    if (found == -1) break;
    if (found == 'c') options.config_file = optarg;
    if (found == 'k') options.check = true;
    if (found == 'f') options.bird.config_file = optarg;
    if (found == 's') options.bird.control_socket = optarg;
    if (found == 'b') options.bird.binary = optarg;
    if (found == 'v') leave(0, "linseyd " LINSEY_VERSION "\n");
    if (found == 'h') leave(0, kUsage);
    if (found == '?') leave(2, kUsage);
  }
  options.supervise_bird =
      optind + 1 == argc && argv[optind] == std::string("bird-supervisor");
  if (optind != argc && !options.supervise_bird) leave(2, kUsage);
  return options;
}

int check(const std::string& file) {
  const Result<std::string> text = read_file(file);
  const Result<void> sound =
      !text ? Result<void>(text.error()) : [&]() -> Result<void> {
    TRY(conf::parse_agent_config(*text));
    return {};
  }();
  if (sound) return 0;
  (void)std::fprintf(stderr, "%s: %s\n", file.c_str(),
                     to_string(sound.error()).c_str());
  return 1;
}

/// The one place that knows the modes.
Result<std::unique_ptr<agent::Supplier>> make_supplier(
    conf::Mode mode, const agent::SupplierDeps& deps) {
  if (mode == conf::Mode::kBgp) {
    return std::unique_ptr<agent::Supplier>(new agent::BlockSupplier(deps));
  }
  return std::unique_ptr<agent::Supplier>(new agent::EniSupplier(deps));
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = parse_options(argc, argv);
  if (options.check) return check(options.config_file);
  if (options.supervise_bird) {
    (void)log::configure({.level = log::Level::kInfo});  // stderr: cannot fail
    const Result<void> over = bgp::supervise(options.bird);
    if (!over) log::error("{}", to_string(over.error()));
    return over ? 0 : 1;
  }

  Result<std::unique_ptr<agent::Daemon>> daemon =
      agent::Daemon::open(options.config_file, make_supplier);
  const Result<void> ended =
      daemon ? (*daemon)->run() : Result<void>(daemon.error());
  if (ended) return 0;
  log::error("linseyd cannot run: {}", to_string(ended.error()));
  return 1;
}
