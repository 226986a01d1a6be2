#include "agent/kube_events.h"

#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/json.h"
#include "base/log.h"
#include "base/wall_text.h"

namespace linsey::agent {
namespace {

constexpr std::size_t kMostSeries = 256;
constexpr std::size_t kNoteLimit = 1024;  // of the API
constexpr std::size_t kNameLimit = 200;   // leaves room for what tells apart

/// What a request meets while something is under way, and the next one not.
bool passes(Code code) {
  return code == Code::kAgentStarting || code == Code::kOvertaken;
}

}  // namespace

void KubeEvents::pod_refused(const ipam::Pod& pod, const Error& why) {
  if (pod.name.empty() || passes(why.code)) return;
  tell({"Pod", pod.name_space, pod.name, pod.uid}, true,
       std::string(name(why.code)), to_string(why));
}

void KubeEvents::node(bool warning, const std::string& reason,
                      const std::string& note) {
  // As the kubelet does: its name is what kubectl looks for.
  tell({"Node", "", deps_.node_name, deps_.node_name}, warning, reason, note);
}

bool KubeEvents::may_write() {
  const Instant now = deps_.clock.now();
  const double refill = std::chrono::duration<double>(now - filled_) /
                        std::chrono::duration<double>(kRefill);
  tokens_ = std::min<double>(kBurst, tokens_ + refill);
  filled_ = now;
  if (tokens_ < 1) return false;
  tokens_ -= 1;
  return true;
}

void KubeEvents::tell(const About& about, bool warning,
                      const std::string& reason, const std::string& note) {
  const std::string key =
      fmt::format("event {}/{}/{}/{}/{}", about.kind, about.name_space,
                  about.name, about.uid, reason);
  if (const auto known = series_.find(key); known != series_.end()) {
    repeat(key, known->second);
    return;
  }
  if (!may_write()) {
    deps_.metrics.count("linsey_events_total", {{"result", "dropped"}});
    return;
  }
  forget_old();
  const Instant now = deps_.clock.now();
  Series series{
      .name_space = about.name_space.empty() ? "default" : about.name_space,
      .name =
          fmt::format("{}.{:x}{:04x}", about.name.substr(0, kNameLimit),
                      deps_.clock.wall().time_since_epoch().count(), ++next_),
      .written = now,
      .last = now};
  Json event = {
      {"apiVersion", "events.k8s.io/v1"},
      {"kind", "Event"},
      {"metadata", {{"name", series.name}, {"namespace", series.name_space}}},
      {"eventTime", micro_time(deps_.clock.wall())},
      {"reportingController", "linsey.dev/agent"},
      {"reportingInstance", "linseyd-" + deps_.node_name.substr(0, 100)},
      {"action", about.kind == "Pod" ? "AddNetwork" : "ServeNode"},
      {"reason", reason},
      {"type", warning ? "Warning" : "Normal"},
      {"note", note.substr(0, kNoteLimit)},
      {"regarding",
       {{"apiVersion", "v1"},
        {"kind", about.kind},
        {"namespace", about.name_space},
        {"name", about.name},
        {"uid", about.uid}}}};
  deps_.metrics.count("linsey_events_total", {{"result", "written"}});
  const std::string name_space = series.name_space;
  series_.emplace(key, std::move(series));
  deps_.writer.submit({.key = key,
                       .kind = "event",
                       .urgency = Urgency::kEvent,
                       .call = [name_space, event = std::move(event)](
                                   kube::Client& client) -> Result<void> {
                         (void)TRY(
                             client.create(kube::kEvents, name_space, event));
                         return {};
                       },
                       .done =
                           [this, key](const Result<void>& done) {
                             // A reply that was lost comes as "exists".
                             if (done || done.error().code == Code::kApiExists)
                               return;
                             log::warn("event: {}", to_string(done.error()));
                             series_.erase(key);
                           }});
}

void KubeEvents::repeat(const std::string& key, Series& series) {
  const Instant now = deps_.clock.now();
  ++series.count;
  series.last = now;
  deps_.metrics.count("linsey_events_total", {{"result", "counted"}});
  if (now - series.written < kRepeat) return;
  series.written = now;
  const Json change = {
      {"series",
       {{"count", series.count},
        {"lastObservedTime", micro_time(deps_.clock.wall())}}}};
  deps_.writer.submit(
      {.key = key + " series",
       .kind = "event",
       .urgency = Urgency::kEvent,
       .call = [change, name_space = series.name_space,
                name = series.name](kube::Client& client) -> Result<void> {
         (void)TRY(client.patch(kube::kEvents, name_space, name, change));
         return {};
       },
       .done =
           [this, key](const Result<void>& done) {
             // Events live an hour: the next time makes a new one.
             if (!done) series_.erase(key);
           }});
}

void KubeEvents::forget_old() {
  while (series_.size() >= kMostSeries) {
    series_.erase(std::ranges::min_element(
        series_, {}, [](const auto& entry) { return entry.second.last; }));
  }
}

}  // namespace linsey::agent
