#include "install/probe.h"

#include <sys/stat.h>

#include <charconv>
#include <chrono>

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/json.h"
#include "base/process.h"

namespace linsey::install {
namespace {

constexpr std::string_view kOurName = "linsey ";

Command call(const std::string& path) {
  Command command;
  command.argv = {path};
  command.env.emplace();
  command.env->emplace("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
  command.timeout = std::chrono::seconds(5);
  return command;
}

Result<std::vector<std::string>> ask_versions(const std::string& path) {
  Command command = call(path);
  command.env->emplace("CNI_COMMAND", "VERSION");
  command.stdin_data = R"({"cniVersion":"1.0.0"})";
  const std::string out = TRY(run_ok(command));
  const Json json = TRY(parse_json(out));
  std::vector<std::string> versions;
  ObjectReader reader(&json, "");
  reader.ignore_unknown();
  reader.require("supportedVersions");
  reader.get("supportedVersions", versions);
  TRY(reader.finish());
  return versions;
}

/// "linsey loopback 0.1.0: the …" names itself and its version.
void read_about(Probe& probe, const std::string& text) {
  probe.about = text.substr(0, text.find('\n'));
  probe.ours = probe.about.starts_with(kOurName);
  if (!probe.ours) return;
  const std::string head = probe.about.substr(0, probe.about.find(':'));
  probe.version = head.substr(head.rfind(' ') + 1);
}

}  // namespace

Probe probe_plugin(const std::string& path) {
  Probe probe;
  struct stat about {};
  if (lstat(path.c_str(), &about) != 0) {
    probe.runs = make_error(Code::kChainPluginMissing, "{} is missing", path);
    return probe;
  }
  probe.exists = true;
  Result<std::vector<std::string>> versions = ask_versions(path);
  if (!versions) {
    Error why = versions.error();
    why.code = Code::kChainPluginMissing;
    why.msg = fmt::format("{} does not answer VERSION: {}", path, why.msg);
    probe.runs = std::move(why);
    return probe;
  }
  probe.versions = *std::move(versions);
  const Result<Finished> said = run(call(path));
  if (said) read_about(probe, said->err.empty() ? said->out : said->err);
  return probe;
}

int compare_versions(const std::string& a, const std::string& b) {
  const char* left = a.data();
  const char* right = b.data();
  const char* const left_end = left + a.size();
  const char* const right_end = right + b.size();
  while (left < left_end || right < right_end) {
    unsigned long one = 0;
    unsigned long other = 0;
    left = std::from_chars(left, left_end, one).ptr;
    right = std::from_chars(right, right_end, other).ptr;
    if (one != other) return one < other ? -1 : 1;
    if (left < left_end) ++left;
    if (right < right_end) ++right;
  }
  return 0;
}

std::string newest(const std::vector<std::string>& versions) {
  std::string best;
  for (const std::string& version : versions) {
    if (best.empty() || compare_versions(version, best) > 0) best = version;
  }
  return best;
}

}  // namespace linsey::install
