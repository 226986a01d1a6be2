#include "bench/inside.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <map>
#include <sstream>
#include <vector>

#include "base/fd.h"
#include "base/file.h"

namespace linsey::bench {
namespace {

/// "trace NAME US" lines of one run, in order.
std::vector<Phase> marks_of(const std::string& err) {
  std::vector<Phase> marks;
  std::istringstream lines(err);
  std::string word;
  Phase mark;
  while (lines >> word) {
    if (word == "trace" && lines >> mark.name >> mark.us) {
      marks.push_back(mark);
    }
  }
  return marks;
}

/// Medians of the steps between marks; what is outside of the first and the
/// last is the launch: fork, exec, loading, and the end of the process.
Result<std::vector<Phase>> phases_of(
    const Series& series, const std::map<std::string, std::string>& names) {
  std::vector<std::string> order;
  std::map<std::string, Samples> steps;
  for (const Ran& ran : series.runs) {
    const std::vector<Phase> marks = marks_of(ran.err);
    if (marks.size() < 2) {
      return make_error(Code::kDecode, "no trace in \"{}\"", ran.err);
    }
    steps["process start and end"].add(ran.took - Time(marks.back().us));
    for (std::size_t i = 1; i < marks.size(); ++i) {
      const auto known = names.find(marks[i].name);
      const std::string& name =
          known == names.end() ? marks[i].name : known->second;
      if (!steps.contains(name)) order.push_back(name);
      steps[name].add(Time(marks[i].us - marks[i - 1].us));
    }
  }
  order.insert(order.begin(), "process start and end");
  std::vector<Phase> phases;
  phases.reserve(order.size());
  for (const std::string& name : order) {
    phases.push_back({name, steps[name].median()});
  }
  return phases;
}

/// Value of an unlabelled metric.
double metric(const std::string& text, const std::string& name) {
  std::istringstream lines(text);
  std::string line;
  while (std::getline(lines, line)) {
    if (line.starts_with(name + " ")) {
      return std::strtod(line.c_str() + name.size(), nullptr);
    }
  }
  return 0;
}

}  // namespace

Result<void> trace(const Contender& ours, rpc::Client client,
                   Findings& findings) {
  const std::vector<BenchPod> pods = TRY(make_pods(60));
  const std::string before = TRY(client.get("/metrics"));
  std::vector<Launch> adds = adds_of(ours, pods);
  for (Launch& launch : adds) {
    launch.env["LINSEY_TRACE"] = "1";
  }
  const Series added = TRY(one_by_one(adds));
  const std::string after = TRY(client.get("/metrics"));
  std::vector<Launch> checks = checks_of(ours, pods, added);
  for (Launch& launch : checks) {
    launch.env["LINSEY_TRACE"] = "1";
  }
  const Series checked = TRY(one_by_one(checks));
  std::vector<Launch> dels = dels_of(ours, pods, added);
  for (Launch& launch : dels) {
    launch.env["LINSEY_TRACE"] = "1";
  }
  const Series deleted = TRY(one_by_one(dels));
  findings.phases["ADD"] =
      TRY(phases_of(added, {{"input", "reading and checking stdin"},
                            {"asked", "asking the agent"},
                            {"paired", "the pair, while the agent works"},
                            {"allocated", "waiting for the agent"},
                            {"wired", "kernel work"},
                            {"end", "result"}}));
  findings.phases["CHECK"] =
      TRY(phases_of(checked, {{"input", "reading and checking stdin"},
                              {"held", "what the agent holds"},
                              {"looked", "reading the kernel"},
                              {"compared", "comparing"},
                              {"end", "result"}}));
  findings.phases["DEL"] =
      TRY(phases_of(deleted, {{"input", "reading and checking stdin"},
                              {"down", "kernel work, path down"},
                              {"released", "round trip, link removed"},
                              {"end", "result"}}));
  const double commits = metric(after, "linsey_commit_seconds_count") -
                         metric(before, "linsey_commit_seconds_count");
  const double seconds = metric(after, "linsey_commit_seconds_sum") -
                         metric(before, "linsey_commit_seconds_sum");
  findings.commit_us = commits > 0 ? seconds / commits * 1e6 : 0;
  return {};
}

Result<double> disk_sync_us(const std::string& directory) {
  const std::string path = directory + "/sync";
  const UniqueFd fd(::open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600));
  if (!fd) return errno_error(errno, path);
  const std::string block(4096, 'x');
  Samples samples;
  for (int i = 0; i < 50; ++i) {
    const auto began = std::chrono::steady_clock::now();
    TRY(write_all(fd.get(), block));
    if (::fdatasync(fd.get()) != 0) return errno_error(errno, path);
    samples.add(std::chrono::steady_clock::now() - began);
  }
  return samples.median();
}

Result<std::uint64_t> resident(pid_t pid) {
  const std::string text = TRY(read_file(fmt::format("/proc/{}/status", pid)));
  const auto at = text.find("VmRSS:");
  if (at == std::string::npos) {
    return make_error(Code::kDecode, "no VmRSS of process {}", pid);
  }
  return std::strtoull(text.c_str() + at + 6, nullptr, 10) * 1024;
}

}  // namespace linsey::bench
