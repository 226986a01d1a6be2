// Measures ADD, CHECK and DEL side by side: Linsey against the reference
// plugins and against the bare kernel work, in one run, round by round in turn,
// first one after the other, then 32 at once. Runs in a network namespace of
// its own with the real agent; nothing of the machine is touched. Exit code: 0
// all bars hold, 1 one does not, 2 it could not be measured.
#include <getopt.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>

#include "base/fd.h"
#include "base/file.h"
#include "base/process.h"
#include "bench/contenders.h"
#include "bench/inside.h"
#include "bench/launcher.h"
#include "bench/report.h"
#include "bench/svg.h"
#include "netlink/netns.h"
#include "netlink/socket.h"
#include "tests/support/agent_process.h"
#include "tests/support/golden.h"
#include "tests/support/temp_dir.h"

namespace linsey::bench {
namespace {

struct Options {
  unsigned rounds = 10;  // one after the other, each of `per_round`
  unsigned per_round = 20;
  unsigned batches = 7;  // of `batch` at once
  unsigned batch = 32;
  unsigned pods = 250;  // for the agent's memory
  std::string json;
  std::string svg;
};

/// An address of a pod answers "refused" when packets go both ways: nothing
/// listens there, so only the pod's own kernel can say so.
Result<void> reach(const std::string& address) {
  const IpAddr ip = TRY(IpAddr::parse(address));
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(9);
  std::memcpy(&to.sin_addr, ip.bytes().data(), 4);
  const UniqueFd fd(
      ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return errno_error(errno, "socket");
  if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&to), sizeof to) != 0 &&
      errno != EINPROGRESS && errno != ECONNREFUSED) {
    return errno_error(errno, "connect to " + address);
  }
  pollfd waited{fd.get(), POLLOUT, 0};
  if (::poll(&waited, 1, 2000) != 1) {
    return make_error(Code::kTimeout, "{} does not answer", address);
  }
  int code = 0;
  socklen_t size = sizeof code;
  (void)::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &code, &size);
  if (code == ECONNREFUSED) return {};
  return errno_error(code, address + " answers otherwise than refused");
}

using Way = Result<Series> (*)(std::span<const Launch>);

struct Pair {
  Series add;
  Series check;  // empty where the contender has none
  Series del;
};

/// ADD for every pod, a look whether the last can be reached, CHECK and DEL
/// for every pod. The namespaces are left to the caller, since the kernel's
/// work when they go would fall into the next measurement.
Result<Pair> add_and_del(const Contender& contender,
                         const std::vector<BenchPod>& pods, Way way) {
  Pair pair;
  pair.add =
      TRY(context(way(adds_of(contender, pods)), "ADD by {}", contender.what));
  TRY(context(reach(contender.address(pods.back(), pair.add.runs.back().out)),
              "pod of {}", contender.what));
  if (contender.check) {
    pair.check = TRY(context(way(checks_of(contender, pods, pair.add)),
                             "CHECK by {}", contender.what));
  }
  pair.del = TRY(context(way(dels_of(contender, pods, pair.add)), "DEL by {}",
                         contender.what));
  return pair;
}

void count_alone(Figures& figures, const Series& series) {
  for (const Ran& ran : series.runs) {
    figures.alone.add(ran.took);
  }
}

void count_together(Figures& figures, const Series& series) {
  for (const Ran& ran : series.runs) {
    figures.together.add(ran.took);
  }
  figures.share.add(series.wall / static_cast<double>(series.runs.size()));
}

/// The kernel takes namespaces apart in the background.
void settle() {
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
}

class AddBench {
 public:
  AddBench(Options options, std::vector<Contender> contenders)
      : options_(std::move(options)), contenders_(std::move(contenders)) {
    for (const Contender& contender : contenders_) {
      findings_.contenders.emplace_back(contender.name, contender.what);
    }
    findings_.batch = options_.batch;
  }

  /// One round in which each contender has its turn; who begins changes.
  Result<void> round(unsigned number, unsigned count, bool alone, bool keep) {
    std::vector<std::vector<BenchPod>> pods;
    for (std::size_t i = 0; i < contenders_.size(); ++i) {
      pods.push_back(TRY(make_pods(count)));
    }
    for (std::size_t i = 0; i < contenders_.size(); ++i) {
      const std::size_t turn = (i + number) % contenders_.size();
      const Contender& contender = contenders_[turn];
      const Pair pair =
          TRY(add_and_del(contender, pods[turn], alone ? one_by_one : at_once));
      if (!keep) continue;
      const auto add = alone ? count_alone : count_together;
      add(findings_.figures[{contender.name, "ADD"}], pair.add);
      if (contender.check) {
        add(findings_.figures[{contender.name, "CHECK"}], pair.check);
      }
      add(findings_.figures[{contender.name, "DEL"}], pair.del);
    }
    pods.clear();
    settle();
    return {};
  }

  Result<void> rounds() {
    TRY(round(0, options_.per_round, true, false));
    for (unsigned i = 0; i < options_.rounds; ++i) {
      TRY(round(i, options_.per_round, true, true));
      say(fmt::format("one after the other: round {} of {}", i + 1,
                      options_.rounds));
    }
    TRY(round(0, options_.batch, false, false));
    for (unsigned i = 0; i < options_.batches; ++i) {
      TRY(round(i, options_.batch, false, true));
      say(fmt::format("{} at once: round {} of {}", options_.batch, i + 1,
                      options_.batches));
    }
    return {};
  }

  static void say(const std::string& text) {
    (void)std::fprintf(stderr, "%s\n", text.c_str());
  }

  Findings& findings() { return findings_; }
  const Contender& ours() const { return contenders_.front(); }
  const Options& options() const { return options_; }

 private:
  Options options_;
  std::vector<Contender> contenders_;
  Findings findings_;
};

/// The agent's memory with as many pods as a large node has, in blocks of the
/// usual size.
Result<void> memory(AddBench& bench, const netlink::NetNs& host,
                    Places places) {
  tests::AgentProcess agent(
      host, {.addresses = {"10.0.1.11/24"},
             .blocks = {"10.64.240.0/26", "10.64.240.64/26", "10.64.240.128/26",
                        "10.64.240.192/26", "10.64.241.0/26"},
             .config_patch = R"({"log": {"level": "info"}})"});
  agent.start();
  Findings& findings = bench.findings();
  findings.agent_pods = bench.options().pods;
  findings.agent_rss_idle = TRY(resident(agent.pid()));
  places.socket = agent.socket();
  places.notes = agent.notes_dir();
  const Contender ours = linsey(places);
  const std::vector<BenchPod> pods = TRY(make_pods(findings.agent_pods));
  const Series added = TRY(one_by_one(adds_of(ours, pods)));
  findings.agent_rss_full = TRY(resident(agent.pid()));
  TRY(at_once(dels_of(ours, pods, added)));
  return {};
}

/// In turn, so that a busy moment of the machine meets both.
Result<void> versions(AddBench& bench, const Places& places) {
  const std::vector<Launch> launches = {version_of(places.linsey + "/linsey"),
                                        version_of(places.cni + "/ptp")};
  for (int i = 0; i < 100; ++i) {
    const Series series = TRY(one_by_one(launches));
    bench.findings().version["linsey"].add(series.runs[0].took);
    bench.findings().version["ptp"].add(series.runs[1].took);
  }
  return {};
}

Result<void> sizes(AddBench& bench, const Places& places) {
  struct stat about {};
  const std::string path = places.linsey + "/linsey";
  if (::stat(path.c_str(), &about) != 0) return errno_error(errno, path);
  bench.findings().plugin_bytes = static_cast<std::uint64_t>(about.st_size);
  (void)::getloadavg(&bench.findings().load, 1);  // 0 where it is unknown
  bench.findings().processors = std::thread::hardware_concurrency();
  bench.findings().disk_sync_us = TRY(disk_sync_us(places.scratch));
  return {};
}

Result<void> write_reports(const Findings& findings, const Options& options) {
  (void)std::fputs(table_of(findings).c_str(), stdout);
  if (!options.json.empty()) {
    TRY(write_file_atomic(options.json, json_of(findings)));
  }
  if (!options.svg.empty()) {
    TRY(write_file_atomic(options.svg, svg_of(findings)));
  }
  return {};
}

/// A network namespace of our own, before any thread is there.
Result<netlink::NetNs> fresh_host() {
  if (::unshare(CLONE_NEWNET) != 0) {
    return errno_error(errno, "unshare: run this as root");
  }
  netlink::NetNs host = TRY(netlink::NetNs::current());
  netlink::Socket socket = TRY(netlink::Socket::open_in(host));
  TRY(socket.run(netlink::Batch().set_link("lo", {.up = true})));
  return host;
}

Result<bool> measure(const Options& options) {
  const netlink::NetNs host = TRY(fresh_host());
  const tests::TempDir scratch;
  // 4094 addresses: none is given twice while it cools.
  tests::AgentProcess agent(host,
                            {.addresses = {"10.0.1.11/24"},
                             .blocks = {"10.64.0.0/20"},
                             .config_patch = R"({"log": {"level": "info"}})"});
  agent.start();
  const Places places{.linsey = tests::build_dir() + "/plugin",
                      .cni = "/usr/lib/cni",
                      .floor = tests::build_dir() + "/bench/linsey-bench-floor",
                      .socket = agent.socket(),
                      .notes = agent.notes_dir(),
                      .scratch = scratch.path()};
  AddBench bench(options,
                 {linsey(places), reference(places), floor_of(places)});
  TRY(versions(bench, places));
  TRY(sizes(bench, places));
  TRY(bench.rounds());
  TRY(trace(bench.ours(), agent.client(), bench.findings()));
  TRY(memory(bench, host, places));
  TRY(write_reports(bench.findings(), options));
  return std::ranges::all_of(bars_of(bench.findings()), &Bar::holds);
}

constexpr char kUsage[] =
    "usage: linsey-bench-add [OPTION...]\n"
    "  --rounds N     rounds one after the other, of 20 each (10)\n"
    "  --batches N    rounds of 32 at once (7)\n"
    "  --pods N       pods for the agent's memory (250)\n"
    "  --json FILE    write all figures\n"
    "  --svg FILE     write the picture\n";

bool read_options(int argc, char** argv, Options& options) {
  static constexpr option kOptions[] = {
      {"rounds", required_argument, nullptr, 'r'},
      {"batches", required_argument, nullptr, 'b'},
      {"pods", required_argument, nullptr, 'p'},
      {"json", required_argument, nullptr, 'j'},
      {"svg", required_argument, nullptr, 's'},
      {nullptr, 0, nullptr, 0}};
  for (;;) {
    const int found = getopt_long(argc, argv, "", kOptions, nullptr);
    if (found == -1) return optind == argc;
    const auto number = [] {
      return static_cast<unsigned>(std::strtoul(optarg, nullptr, 10));
    };
    if (found == 'r') options.rounds = number();
    if (found == 'b') options.batches = number();
    if (found == 'p') options.pods = number();
    if (found == 'j') options.json = optarg;
    if (found == 's') options.svg = optarg;
    if (found == '?') return false;
  }
}

}  // namespace
}  // namespace linsey::bench

int main(int argc, char** argv) {
  linsey::bench::Options options;
  if (!linsey::bench::read_options(argc, argv, options)) {
    (void)std::fputs(linsey::bench::kUsage, stderr);
    return 2;
  }
  const linsey::Result<bool> holds = linsey::bench::measure(options);
  if (holds) return *holds ? 0 : 1;
  (void)std::fprintf(stderr, "linsey-bench-add: %s\n%s\n",
                     linsey::to_string(holds.error()).c_str(),
                     holds.error().details.c_str());
  return 2;
}
