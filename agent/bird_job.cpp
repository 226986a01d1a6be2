#include "agent/bird_job.h"

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

Result<std::optional<bgp::Speaker>> configure(const BirdJob& job) {
  const bgp::Speaker speaker = TRY(with_passwords(job.plan));
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

}  // namespace

BirdReport run_bird_job(const BirdJob& job) {
  BirdReport report;
  const Result<std::optional<bgp::Speaker>> in_use = configure(job);
  if (in_use) {
    report.in_use = *in_use;
  } else {
    report.in_use = job.in_use;
    report.configured = in_use.error();
  }
  report.observed = bgp::observe(job.plan.speaker, job.paths);
  // A BIRD that comes back may have been started with an older file.
  if (!report.observed) report.in_use.reset();
  return report;
}

}  // namespace linsey::agent
