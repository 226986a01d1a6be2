#include "lab/api/fault.h"

#include <algorithm>

namespace linsey::lab::api {
namespace {

bool fits(const Fault& fault, const std::string& method,
          const std::string& path) {
  return (fault.method.empty() || fault.method == method) &&
         path.starts_with(fault.path_prefix);
}

/// "/apis/linsey.dev/v1/ipblocks" of any path below it, with namespaces left
/// out: what calls are counted by.
std::string collection_of(const std::string& path) {
  std::vector<std::string> parts;
  std::size_t start = 1;
  while (start <= path.size()) {
    const auto end = std::min(path.find('/', start), path.size());
    parts.push_back(path.substr(start, end - start));
    start = end + 1;
  }
  std::size_t keep = path.starts_with("/apis/") ? 4 : 3;
  const std::size_t at = keep - 1;
  if (parts.size() > at + 2 && parts[at] == "namespaces") {
    parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(at),
                parts.begin() + static_cast<std::ptrdiff_t>(at + 2));
  }
  std::string out;
  for (std::size_t i = 0; i < std::min(keep, parts.size()); ++i) {
    out += "/" + parts[i];
  }
  return out;
}

}  // namespace

void Faults::push(const Fault& fault, int times) {
  waiting_.insert(waiting_.end(), static_cast<std::size_t>(times), fault);
}

std::optional<Fault> Faults::take(const std::string& method,
                                  const std::string& path) {
  const auto found = std::ranges::find_if(
      waiting_, [&](const Fault& fault) { return fits(fault, method, path); });
  if (found == waiting_.end()) return std::nullopt;
  Fault fault = *found;
  waiting_.erase(found);
  return fault;
}

void Counters::add(const CallRecord& call, std::size_t received,
                   std::size_t sent) {
  calls_.push_back(call);
  received_ += received;
  sent_ += sent;
}

std::size_t Counters::count(const std::string& method,
                            const std::string& prefix) const {
  return static_cast<std::size_t>(
      std::ranges::count_if(calls_, [&](const CallRecord& call) {
        return call.method == method && call.path.starts_with(prefix);
      }));
}

void Counters::forget() {
  calls_.clear();
  received_ = sent_ = 0;
}

Json Counters::to_json() const {
  std::map<std::string, int> calls;
  std::map<std::string, int> statuses;
  std::map<std::string, int> users;
  for (const CallRecord& call : calls_) {
    ++calls[call.method + " " + collection_of(call.path)];
    ++statuses[std::to_string(call.status)];
    ++users[call.user];
  }
  return {{"calls", calls},         {"statuses", statuses},  {"users", users},
          {"total", calls_.size()}, {"received", received_}, {"sent", sent_}};
}

}  // namespace linsey::lab::api
