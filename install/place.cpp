#include "install/place.h"

#include <sys/stat.h>

#include <utility>
#include <vector>

#include "base/crash_point.h"
#include "base/file.h"
#include "base/sha1.h"
#include "install/why_not.h"

namespace linsey::install {
namespace {

constexpr std::string_view kMain = "linsey";
constexpr std::size_t kLargest = std::size_t{256} << 20;

Decision decide_ours(const Question& q) {
  const int order = compare_versions(q.there.version, q.given.version);
  const std::string pair = fmt::format("Linsey {} is there, {} is given",
                                       q.there.version, q.given.version);
  if (q.policy == Policy::kDifferent) return {true, pair};
  if (order < 0) return {true, pair};
  return {false, pair + "; --policy older keeps it"};
}

Decision decide_foreign(const Question& q) {
  if (!q.there.runs) return {true, q.there.runs.error().msg};
  const std::string theirs = newest(q.there.versions);
  const std::string ours = newest(q.given.versions);
  const int order = compare_versions(theirs, ours);
  const std::string pair = fmt::format(
      "a foreign binary ({}) speaks CNI up to {}, ours up to {}",
      q.there.about.empty() ? "nameless" : q.there.about, theirs, ours);
  return {order < 0, pair};
}

/// Keeps what is replaced, unless it is ours or was kept before.
Result<void> keep_copy(const Host& host, const std::string& path,
                       const Probe& there, Record& record) {
  const auto placed = record.files.find(path);
  const bool kept =
      placed != record.files.end() && !placed->second.copy_before.empty();
  if (!there.exists || there.ours || kept) return {};
  struct stat about {};
  if (stat(host.at(path).c_str(), &about) != 0) return {};  // dangling link
  const std::string content = TRY(read_file(host.at(path), kLargest));
  TRY(make_directories(host.at(host.kept_dir()), 0700));
  const std::string copy =
      host.kept_dir() + "/" + path.substr(path.rfind('/') + 1);
  TRY(explained(write_file_atomic(host.at(copy), content, {.mode = 0600}),
                host.at(host.kept_dir()), content.size()));
  record.files[path].copy_before = copy;
  record.files[path].mode_before = about.st_mode & 07777U;
  return {};
}

Result<void> write_plugin(const Host& host, const Placement& placement,
                          const std::string& path) {
  const std::string dir = host.at(host.bin_dir);
  CRASH_POINT("install.write");
  return context(explained(write_file_atomic(host.at(path), placement.content,
                                             {.mode = 0755}),
                           dir, placement.content.size()),
                 "install {}", path);
}

}  // namespace

Result<Policy> parse_policy(std::string_view text) {
  if (text == "absent") return Policy::kAbsent;
  if (text == "older") return Policy::kOlder;
  if (text == "different") return Policy::kDifferent;
  return make_error(Code::kInvalidConfig,
                    "--policy: \"{}\" is not known; write absent, older or "
                    "different",
                    text);
}

Decision decide(const Question& q) {
  if (!q.there.exists) return {true, "it was missing"};
  if (q.same_bytes) return {false, "it is this very file"};
  if (q.force) return {true, "--force"};
  if (q.policy == Policy::kAbsent) return {false, "--policy absent"};
  return q.there.ours ? decide_ours(q) : decide_foreign(q);
}

Result<void> make_noted_directories(const Host& host, const std::string& path,
                                    Record& record) {
  std::vector<std::string> missing;
  for (std::string at = path; !at.empty() && !path_exists(host.at(at));
       at = at.substr(0, at.rfind('/'))) {
    missing.push_back(at);
  }
  if (missing.empty()) return {};
  record.directories.insert(missing.begin(), missing.end());
  TRY(save_record(host, record));
  return explained(make_directories(host.at(path)), host.at(path), 4096);
}

Result<Step> place_plugin(const Host& host, const Placement& placement,
                          Record& record) {
  const std::string path = host.bin_dir + "/" + placement.name;
  const Probe there = probe_plugin(host.at(path));
  const bool same =
      there.exists &&
      read_file(host.at(path), kLargest).value_or("") == placement.content;
  const Decision decision = decide({.there = there,
                                    .given = placement.given,
                                    .same_bytes = same,
                                    .policy = placement.policy,
                                    .force = placement.force});
  Step step{path, same ? "current" : "kept", decision.why};
  if (decision.write) {
    TRY(keep_copy(host, path, there, record));
    record.files[path].sha1 = sha1_hex(placement.content);
    TRY(save_record(host, record));
    TRY(write_plugin(host, placement, path));
    step.done = there.exists ? "replaced" : "installed";
  } else if (placement.name == kMain && !same && !there.ours) {
    return make_error(
        Code::kForeignBinary,
        "{} is not Linsey: {}; move it away or run linsey-install "
        "with --force",
        path, decision.why);
  }
  const Probe now = probe_plugin(host.at(path));
  if (!now.runs) {
    return context(Result<Step>(now.runs.error()), "check {}", path);
  }
  return step;
}

}  // namespace linsey::install
