#include "controller/lease.h"

#include <utility>

#include <nlohmann/json.hpp>

#include "base/wall_text.h"

namespace linsey::controller {
namespace {

std::string text_at(const Json& object, const char* group, const char* key) {
  const Json* inner = find_member(object, group);
  const Json* value = inner != nullptr ? find_member(*inner, key) : nullptr;
  return value != nullptr && value->is_string() ? value->get<std::string>()
                                                : std::string();
}

}  // namespace

Leader::Leader(kube::Client& client, const Clock& clock, LeaseOptions options)
    : client_(client), clock_(clock), options_(std::move(options)) {}

bool Leader::leads() const {
  return mine_ && clock_.now() - renewed_at_ < options_.life * 2 / 3;
}

Json Leader::record(bool mine) const {
  const std::string now = micro_time(clock_.wall());
  return {{"apiVersion", "coordination.k8s.io/v1"},
          {"kind", "Lease"},
          {"metadata",
           {{"name", options_.name}, {"namespace", options_.name_space}}},
          {"spec",
           {{"holderIdentity", mine ? options_.identity : ""},
            {"leaseDurationSeconds", options_.life.count()},
            {"acquireTime", now},
            {"renewTime", now}}}};
}

Result<void> Leader::tick() {
  const Result<Json> found =
      client_.get(kube::kLeases, options_.name_space, options_.name);
  const Instant asked = clock_.now();
  if (!found && found.error().code == Code::kApiNotFound) {
    mine_ = false;
    TRY(client_.create(kube::kLeases, options_.name_space, record(true)));
    mine_ = true;
    renewed_at_ = asked;
    return {};
  }
  if (!found) return found.error();
  const std::string holder = text_at(*found, "spec", "holderIdentity");
  const std::string version = text_at(*found, "metadata", "resourceVersion");
  if (version != seen_version_) {
    seen_version_ = version;
    seen_at_ = asked;
  }
  mine_ = mine_ && holder == options_.identity;
  const bool free = holder.empty() || holder == options_.identity ||
                    asked - seen_at_ >= options_.life;
  return free ? write(*found) : Result<void>{};
}

Result<void> Leader::write(const Json& found) {
  const Instant asked = clock_.now();
  Json mine = record(true);
  mine["metadata"]["resourceVersion"] =
      text_at(found, "metadata", "resourceVersion");
  if (mine_)
    mine["spec"]["acquireTime"] = text_at(found, "spec", "acquireTime");
  const Result<Json> done =
      client_.update(kube::kLeases, options_.name_space, mine);
  if (!done) {
    if (done.error().code == Code::kApiConflict) mine_ = false;
    return done.error();
  }
  mine_ = true;
  renewed_at_ = asked;
  return {};
}

void Leader::resign() {
  if (!leads()) return;
  mine_ = false;
  const Result<Json> found =
      client_.get(kube::kLeases, options_.name_space, options_.name);
  if (!found ||
      text_at(*found, "spec", "holderIdentity") != options_.identity) {
    return;
  }
  Json free = record(false);
  free["metadata"]["resourceVersion"] =
      text_at(*found, "metadata", "resourceVersion");
  // The other then waits the lease's life.
  (void)client_.update(kube::kLeases, options_.name_space, free);
}

}  // namespace linsey::controller
