// linsey-install: puts Linsey on a node and takes it off; docs/install.md.
#include <getopt.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <climits>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/file.h"
#include "install/installer.h"
#include "install/uninstall.h"

namespace {

using namespace linsey;

constexpr std::string_view kUsage =
    R"(usage: linsey-install [install] [OPTION...]
       linsey-install uninstall [--verify] [--dry-run] [OPTION...]
       linsey-install --version | --help

both:
  --root DIR         the host's files are below DIR (default: /)
  --config FILE      take directories from an agent's configuration
  --flavor NAME      auto, plain, k3s, rke2, k0s, microk8s (default plain)
  --bin-dir DIR      the runtime's plugins (default /opt/cni/bin)
  --conf-dir DIR     the runtime's configuration (default /etc/cni/net.d)
  --conflist NAME    our file there (default 10-linsey.conflist)
  --state-dir DIR    default /var/lib/linsey
  --run-dir DIR      default /run/linsey
  -o text|json

install:
  --from DIR         where our plugin is (default: beside this program)
  --policy WHICH     write over: absent, older, different (default different)
  --force            write over everything; what is foreign is kept aside
  --set-aside-conflists  rename configurations that sort before ours
  --conflist-source FILE look at the plugins of this list
  --unmanaged GLOB   more links that only Linsey may touch; may be repeated
  --no-drop-ins      write nothing for NetworkManager, networkd and udev

uninstall:
  --verify           list every place that was looked at
  --dry-run          look only
  --force            although linseyd runs
  --files-only, --kernel-only, --keep-state

exit codes: 0 done, nothing left; 1 something failed or is left; 2 usage
)";

enum Key : int {
  kConfig = 256,
  kFlavor,
  kRoot,
  kBinDir,
  kConfDir,
  kConflist,
  kStateDir,
  kRunDir,
  kFrom,
  kPolicy,
  kForce,
  kSetAside,
  kSource,
  kUnmanaged,
  kNoDropIns,
  kVerify,
  kDryRun,
  kFilesOnly,
  kKernelOnly,
  kKeepState,
  kVersion,
  kHelp,
};

constexpr auto kLong = std::to_array<option>({
    {"config", required_argument, nullptr, kConfig},
    {"flavor", required_argument, nullptr, kFlavor},
    {"root", required_argument, nullptr, kRoot},
    {"bin-dir", required_argument, nullptr, kBinDir},
    {"conf-dir", required_argument, nullptr, kConfDir},
    {"conflist", required_argument, nullptr, kConflist},
    {"state-dir", required_argument, nullptr, kStateDir},
    {"run-dir", required_argument, nullptr, kRunDir},
    {"from", required_argument, nullptr, kFrom},
    {"policy", required_argument, nullptr, kPolicy},
    {"force", no_argument, nullptr, kForce},
    {"set-aside-conflists", no_argument, nullptr, kSetAside},
    {"conflist-source", required_argument, nullptr, kSource},
    {"unmanaged", required_argument, nullptr, kUnmanaged},
    {"no-drop-ins", no_argument, nullptr, kNoDropIns},
    {"verify", no_argument, nullptr, kVerify},
    {"dry-run", no_argument, nullptr, kDryRun},
    {"files-only", no_argument, nullptr, kFilesOnly},
    {"kernel-only", no_argument, nullptr, kKernelOnly},
    {"keep-state", no_argument, nullptr, kKeepState},
    {"output", required_argument, nullptr, 'o'},
    {"version", no_argument, nullptr, kVersion},
    {"help", no_argument, nullptr, kHelp},
    {nullptr, 0, nullptr, 0},
});

struct Options {
  bool verify = false;
  bool json = false;
  install::InstallOptions install;
  install::UninstallOptions uninstall;  // its host is that of `install`
};

/// Ends with the output, so a broken pipe is not success.
[[noreturn]] void leave(int code, std::string_view text) {
  const bool told = write_all(code == 2 ? 2 : 1, text).has_value();
  std::exit(told ? code : 2);
}

[[noreturn]] void leave(const Error& error) {
  leave(2, fmt::format("linsey-install: {}\n", to_string(error)));
}

std::string own_directory() {
  std::array<char, PATH_MAX> path{};
  const ssize_t size = readlink("/proc/self/exe", path.data(), path.size() - 1);
  const std::string text(path.data(),
                         size > 0 ? static_cast<std::size_t>(size) : 0);
  return text.substr(0, text.rfind('/'));
}

/// True when `key` was a switch.
bool take_switch(int key, Options& options) {
  switch (key) {
    case kForce:
      options.install.force = true;
      options.uninstall.force = true;
      return true;
    case kSetAside:
      options.install.set_aside = true;
      return true;
    case kNoDropIns:
      options.install.drop_ins = false;
      return true;
    case kVerify:
      options.verify = true;
      return true;
    case kDryRun:
      options.uninstall.dry_run = true;
      return true;
    case kFilesOnly:
      options.uninstall.kernel = false;
      return true;
    case kKernelOnly:
      options.uninstall.files = false;
      return true;
    case kKeepState:
      options.uninstall.state = false;
      return true;
    default:
      return false;
  }
}

Result<void> take_value(int key, const std::string& value, Options& options) {
  install::Host& host = options.install.host;
  switch (key) {
    case kFrom:
      options.install.from = value;
      break;
    case kPolicy:
      options.install.policy = TRY(install::parse_policy(value));
      break;
    case kSource:
      options.install.conflist_source = value;
      break;
    case kUnmanaged:
      options.install.unmanaged.push_back(value);
      break;
    case kBinDir:
      host.bin_dir = value;
      break;
    case kConfDir:
      host.conf_dir = value;
      break;
    case kConflist:
      host.conflist = value;
      break;
    case kStateDir:
      host.state_dir = value;
      break;
    case kRunDir:
      host.run_dir = value;
      break;
    default:
      options.json = value == "json";
      if (value != "json" && value != "text") {
        return make_error(Code::kInvalidConfig, "-o: write text or json");
      }
  }
  return {};
}

/// What sets several paths at once goes first, wherever it stands.
Result<void> take_presets(int argc, char** argv, install::Host& host) {
  std::string flavor;
  std::string config;
  optind = 1;
  for (int key = 0;
       (key = getopt_long(argc, argv, "o:", kLong.data(), nullptr)) != -1;) {
    if (key == kRoot) host.root = optarg;
    if (key == kFlavor) flavor = optarg;
    if (key == kConfig) config = optarg;
    if (key == kHelp) leave(0, kUsage);
    if (key == kVersion) leave(0, "linsey-install " LINSEY_VERSION "\n");
    if (key == '?') leave(2, kUsage);
  }
  while (host.root.ends_with('/')) {
    host.root.pop_back();
  }
  if (!flavor.empty()) TRY(install::set_flavor(host, flavor));
  if (!config.empty()) TRY(install::take_from_config(host, config));
  return {};
}

Result<Options> parse_options(int argc, char** argv) {
  Options options;
  options.install.from = own_directory();
  TRY(take_presets(argc, argv, options.install.host));
  optind = 1;
  for (int key = 0;
       (key = getopt_long(argc, argv, "o:", kLong.data(), nullptr)) != -1;) {
    if (key == kRoot || key == kFlavor || key == kConfig) continue;
    if (!take_switch(key, options)) TRY(take_value(key, optarg, options));
  }
  options.uninstall.host = options.install.host;
  return options;
}

int run_install(const Options& options) {
  const install::Installed done = install::install(options.install);
  leave(done.errors.empty() ? 0 : 1,
        options.json ? install::to_json(done) : install::to_text(done));
}

int run_uninstall(const Options& options) {
  const auto done = install::uninstall(options.uninstall);
  if (!done) {
    leave(1, fmt::format("linsey-install: {}\n", to_string(done.error())));
  }
  const bool fine = done->clean();
  leave(fine ? 0 : 1, options.json ? install::to_json(*done)
                                   : install::to_text(*done, options.verify));
}

}  // namespace

int main(int argc, char** argv) {
  // A plugin that ends before it has read its input must not end us.
  (void)signal(SIGPIPE, SIG_IGN);
  const Result<Options> options = parse_options(argc, argv);
  if (!options) leave(options.error());
  const std::string_view verb = optind < argc ? argv[optind] : "install";
  if (optind + 1 < argc) leave(2, kUsage);
  if (verb == "install") return run_install(*options);
  if (verb == "uninstall") return run_uninstall(*options);
  leave(2, kUsage);
}
