// linsey-bench-store [--json] [DIRECTORY]: what a durable change of the ledger
// costs on the disk of DIRECTORY (default: the current one), beside that disk's
// own time for a sync.
#include "ipam/store.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/json.h"

namespace linsey::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kRounds = 400;

struct Figures {
  double p50 = 0;  // microseconds
  double p99 = 0;
};

Figures figures_of(std::vector<double> samples) {
  std::sort(samples.begin(), samples.end());
  return {samples[samples.size() / 2], samples[samples.size() * 99 / 100]};
}

double since(Clock::time_point start) {
  return std::chrono::duration<double, std::micro>(Clock::now() - start)
      .count();
}

template <typename T>
T must(Result<T> result) {
  if (!result) panic(to_string(result.error()));
  if constexpr (!std::is_void_v<T>) return std::move(result).value();
}

ipam::AssignRequest request(int id, Instant now) {
  ipam::AssignRequest request;
  const std::string number = std::to_string(id);
  request.attachment.key = {"linsey", std::string(64, 'c') + number, "eth0"};
  request.attachment.pod = {"default", "pod-" + number, std::string(36, 'u')};
  request.attachment.netns = "/var/run/netns/cni-" + number;
  request.families = {Family::kV4};
  request.asked_at = now;
  return request;
}

/// One ledger of `addresses`, half of them held, and its store.
class Node {
 public:
  Node(const std::string& path, unsigned addresses)
      : opened_(must(ipam::Store::open(
            {path,
             "boot",
             {.cool_down = Duration(1), .cool_down_min = Duration(1)}},
            now_))) {
    std::vector<ipam::Supply> supply;
    for (unsigned i = 0; i < addresses; ++i) {
      supply.push_back({*IpAddr::v4(0x0a000000).plus(i), "block", ""});
    }
    ledger().add(supply);
    for (unsigned i = 0; i < addresses / 2; ++i) {
      assign();
    }
    save();
  }

  ipam::Ledger& ledger() { return opened_.loaded.ledger; }
  void assign() {
    now_ += Duration(1000);
    const auto assigned = must(ledger().assign(request(next_++, now_), now_));
    ipam::Allocation allocation = assigned.held.allocation;
    allocation.node_addresses = {IpAddr::v4(0x0a010101)};
    must(ledger().complete(assigned.held.attachment.key, allocation));
  }
  void release() {
    now_ += Duration(1000);
    (void)ledger().release(request(oldest_++, now_).attachment.key, now_);
  }
  void save() { must(opened_.store.save(ledger(), now_)); }

 private:
  Instant now_ = std::chrono::hours(1);
  int next_ = 0;
  int oldest_ = 0;
  ipam::Store::Opened opened_;
};

Figures changes(Node& node, unsigned at_once, bool assign) {
  std::vector<double> samples;
  for (int round = 0; round < kRounds; ++round) {
    for (const bool measured : {true, false}) {
      const auto start = Clock::now();
      for (unsigned i = 0; i < at_once; ++i) {
        assign == measured ? node.assign() : node.release();
      }
      node.save();
      if (measured) samples.push_back(since(start));
    }
  }
  return figures_of(samples);
}

Figures loads(const std::string& path) {
  std::vector<double> samples;
  for (int round = 0; round < 20; ++round) {
    const auto start = Clock::now();
    (void)must(ipam::Store::open({path, "boot", {}}, std::chrono::hours(2)));
    samples.push_back(since(start));
  }
  return figures_of(samples);
}

Figures syncs(const std::string& path) {
  UniqueFd file(
      open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  const std::string line(110, 'x');
  std::vector<double> samples;
  for (int round = 0; round < kRounds; ++round) {
    const auto start = Clock::now();
    must(write_all(file.get(), line));
    if (fdatasync(file.get()) != 0) panic("fdatasync failed");
    samples.push_back(since(start));
  }
  must(remove_file(path));
  return figures_of(samples);
}

Json row(const char* what, unsigned addresses, unsigned at_once,
         const Figures& f) {
  return {{"what", what},
          {"addresses", addresses},
          {"atOnce", at_once},
          {"p50us", f.p50},
          {"p99us", f.p99}};
}

Json measure(const std::string& directory) {
  Json rows = Json::array();
  rows.push_back(row("disk: append 110 bytes, fdatasync", 0, 1,
                     syncs(directory + "/bench-sync")));
  for (const unsigned addresses : {16U, 256U, 2048U}) {
    const std::string path = directory + "/bench-ledger.db";
    {
      Node node(path, addresses);
      for (const unsigned at_once : {1U, std::min(64U, addresses / 4)}) {
        rows.push_back(row("assign + save", addresses, at_once,
                           changes(node, at_once, true)));
        rows.push_back(row("release + save", addresses, at_once,
                           changes(node, at_once, false)));
      }
    }
    rows.push_back(row("open + load", addresses, 1, loads(path)));
    for (const char* suffix : {"", "-wal", "-shm", ".lock", ".last"}) {
      must(remove_file(path + suffix));
    }
  }
  return rows;
}

int run(int argc, char** argv) {
  bool json = false;
  std::string directory = ".";
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--json") == 0) {
      json = true;
    } else {
      directory = argv[i];
    }
  }
  const Json rows = measure(directory);
  if (json) {
    std::printf("%s\n", dump_json(rows, 2).c_str());
    return 0;
  }
  std::printf("%-36s %10s %8s %10s %10s\n", "what", "addresses", "at once",
              "p50 us", "p99 us");
  for (const Json& r : rows) {
    std::printf("%-36s %10u %8u %10.1f %10.1f\n",
                r["what"].get_ref<const std::string&>().c_str(),
                r["addresses"].get<unsigned>(), r["atOnce"].get<unsigned>(),
                r["p50us"].get<double>(), r["p99us"].get<double>());
  }
  return 0;
}

}  // namespace
}  // namespace linsey::bench

int main(int argc, char** argv) {
  return linsey::bench::run(argc, argv);
}
