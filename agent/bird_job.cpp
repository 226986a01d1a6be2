#include "agent/bird_job.h"

#include "agent/route_drain.h"
#include "base/file.h"

namespace linsey::agent {
namespace {

Result<bgp::Speaker> with_passwords(const SpeakerPlan& plan) {
  bgp::Speaker speaker = plan.speaker;
  for (bgp::Peer& peer : speaker.peers) {
    const auto file = plan.password_files.find(peer.name);
    if (file == plan.password_files.end()) continue;
    std::string text = TRY(context(read_file(file->second, 4096),
                                   "password of BGP peer \"{}\"", peer.name));
    while (text.ends_with('\n') || text.ends_with('\r')) {
      text.pop_back();
    }
    if (text.empty()) {
      return make_error(Code::kInvalidConfig,
                        "password of BGP peer \"{}\": {} is empty", peer.name,
                        file->second);
    }
    peer.password = std::move(text);
  }
  return speaker;
}

Result<std::optional<bgp::Speaker>> configure(const BirdJob& job,
                                              const bgp::Speaker& speaker) {
  if (job.in_use == speaker) return job.in_use;
  const auto slash = job.paths.config_file.rfind('/');
  if (slash != std::string::npos && slash > 0) {
    TRY(make_directories(job.paths.config_file.substr(0, slash)));
  }
  const bgp::Applied applied = TRY(bgp::apply(speaker, job.paths));
  std::optional<bgp::Speaker> in_use;
  if (applied.accepted) in_use = speaker;
  return in_use;
}

constexpr unsigned kRoundsOfEvidence = 8;

/// nullopt where the kernel tells nothing.
std::optional<Md5Watch> watch_md5(const std::optional<Md5Watch>& earlier) {
  const Result<bgp::Md5Counters> now = bgp::md5_counters();
  if (!now) return std::nullopt;
  Md5Watch watch = earlier.value_or(Md5Watch{*now, {}, 0});
  const bgp::Md5Evidence fresh = bgp::evidence(watch.counters, *now);
  watch.counters = *now;
  if (fresh != bgp::Md5Evidence{}) {
    watch.seen.with_password |= fresh.with_password;
    watch.seen.without_password |= fresh.without_password;
    watch.quiet_rounds = 0;
  } else if (++watch.quiet_rounds > kRoundsOfEvidence) {
    watch.seen = {};
  }
  return watch;
}

std::map<std::string, Error> faults_of(const bgp::Speaker& speaker,
                                       const bgp::Observed& observed,
                                       const bgp::Md5Evidence& md5) {
  std::map<std::string, Error> faults;
  for (std::size_t i = 0; i < speaker.peers.size(); ++i) {
    const bgp::Session& session = observed.peers[i];
    auto fault = bgp::fault_of(speaker.peers[i], session, md5);
    if (fault) faults.emplace(session.name, *std::move(fault));
  }
  return faults;
}

Result<std::vector<Cidr>> unknown_of(const BirdJob& job) {
  std::vector<Cidr> unknown;
  if (job.foreign.empty()) return unknown;
  bgp::BirdControl bird = TRY(
      bgp::BirdControl::connect(job.paths.control_socket, job.paths.timeout));
  for (const Cidr& block : job.foreign) {
    if (!TRY(bird.learned(block.first()))) unknown.push_back(block);
  }
  return unknown;
}

/// Looks, takes back what is too much, and looks again.
Result<bgp::Observed> look(const BirdJob& job, const bgp::Speaker& speaker,
                           BirdReport& report) {
  bgp::Observed observed = TRY(bgp::observe(speaker, job.paths));
  if (observed.violations.empty() || !report.configured) return observed;
  report.violations = observed.violations;
  TRY(bgp::withdraw(speaker, job.paths, observed));
  return bgp::observe(speaker, job.paths);
}

}  // namespace

BirdReport run_bird_job(const BirdJob& job) {
  BirdReport report;
  const Result<bgp::Speaker> complete = with_passwords(job.plan);
  const bgp::Speaker& speaker = complete ? *complete : job.plan.speaker;
  const Result<std::optional<bgp::Speaker>> in_use =
      complete ? configure(job, speaker)
               : Result<std::optional<bgp::Speaker>>(complete.error());
  if (in_use) {
    report.in_use = *in_use;
  } else {
    report.in_use = job.in_use;
    report.configured = in_use.error();
  }
  report.md5 = watch_md5(job.md5);
  report.observed = look(job, speaker, report);
  if (report.observed) {
    report.faults =
        faults_of(speaker, *report.observed,
                  report.md5 ? report.md5->seen : bgp::Md5Evidence{});
    report.unknown = unknown_of(job);
  } else {
    // A BIRD that comes back may have been started with an older file.
    report.in_use.reset();
  }
  const Result<std::string> links =
      read_file("/proc/thread-self/net/dev", std::size_t{1} << 22);
  if (links) report.pod_packets = pod_packets(*links);
  return report;
}

}  // namespace linsey::agent
