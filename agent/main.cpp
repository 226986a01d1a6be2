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
#include "conf/agent_config.h"

namespace {

using namespace linsey;

constexpr char kUsage[] =
    "usage: linseyd [--config FILE] [--check]\n"
    "  --config FILE  the agent's configuration "
    "(default /etc/linsey/agent.json)\n"
    "  --check        read the configuration, say what is wrong, and exit\n"
    "  --version      print the version and exit\n"
    "  --help         print this and exit\n";

struct Options {
  std::string config_file = "/etc/linsey/agent.json";
  bool check = false;
};

[[noreturn]] void leave(int code, const char* text) {
  (void)std::fputs(text, code == 0 ? stdout : stderr);
  std::exit(code);
}

Options parse_options(int argc, char** argv) {
  static constexpr option kOptions[] = {
      {"config", required_argument, nullptr, 'c'},
      {"check", no_argument, nullptr, 'k'},
      {"version", no_argument, nullptr, 'v'},
      {"help", no_argument, nullptr, 'h'},
      {nullptr, 0, nullptr, 0}};
  Options options;
  for (;;) {
    const int found = getopt_long(argc, argv, "c:h", kOptions, nullptr);
    if (found == -1) break;
    if (found == 'c') options.config_file = optarg;
    if (found == 'k') options.check = true;
    if (found == 'v') leave(0, "linseyd " LINSEY_VERSION "\n");
    if (found == 'h') leave(0, kUsage);
    if (found == '?') leave(2, kUsage);
  }
  if (optind != argc) leave(2, kUsage);
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

  Result<std::unique_ptr<agent::Daemon>> daemon =
      agent::Daemon::open(options.config_file, make_supplier);
  const Result<void> ended =
      daemon ? (*daemon)->run() : Result<void>(daemon.error());
  if (ended) return 0;
  log::error("linseyd cannot run: {}", to_string(ended.error()));
  return 1;
}
