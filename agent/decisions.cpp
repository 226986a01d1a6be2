#include "agent/decisions.h"

#include <utility>

#include <nlohmann/json.hpp>

#include "base/json.h"
#include "base/wall_text.h"

namespace linsey::agent {
namespace {

/// A pod has one sandbox at a time; those of earlier ones tell nothing more.
constexpr std::size_t kAttachments = 8;

std::string name_of(const ipam::Pod& pod) {
  return pod.name_space + "/" + pod.name;
}

std::string text_of(const std::vector<IpAddr>& addresses) {
  std::string out;
  for (const IpAddr& address : addresses) {
    out += (out.empty() ? "" : " ") + address.to_string();
  }
  return out;
}

Json reason_json(const Error& why) {
  return {{"code", name(why.code)},
          {"class", name(info(why.code).cls)},
          {"msg", why.msg},
          {"details", why.details},
          {"remedy", info(why.code).remedy}};
}

Json parsed(const std::string& text) {
  const Result<Json> json = parse_json(text);
  return json ? *json : Json(nullptr);
}

struct Asked {
  std::string name_space;
  std::string name;
};

Result<Asked> parse_asked(std::string_view body) {
  const Json json = TRY(parse_json(body));
  ObjectReader reader(&json, "");
  Asked asked;
  reader.get("namespace", asked.name_space);
  reader.get("name", asked.name);
  TRY(reader.finish());
  if (!asked.name.empty() && !asked.name_space.empty()) return asked;
  return make_error(Code::kDecode, "namespace and name of the pod are wanted");
}

}  // namespace

Decisions::Decisions(DecisionDeps deps)
    : deps_(std::move(deps)), began_(deps_.clock.wall()) {}

Decisions::Note& Decisions::note_of(const ipam::Pod& pod) {
  const std::string name = name_of(pod);
  const auto found = by_pod_.find(name);
  if (found != by_pod_.end()) {
    notes_.splice(notes_.end(), notes_, found->second);
    return notes_.back();
  }
  if (notes_.size() == kPods) {
    by_pod_.erase(notes_.front().pod);
    notes_.pop_front();
  }
  notes_.push_back({name, {}, {}});
  by_pod_.emplace(name, std::prev(notes_.end()));
  return notes_.back();
}

const Decisions::Note* Decisions::find(const std::string& pod) const {
  const auto found = by_pod_.find(pod);
  return found == by_pod_.end() ? nullptr : &*found->second;
}

void Decisions::given(const ipam::Held& held, const std::string& mode,
                      const std::string& why) {
  if (held.attachment.pod.name.empty()) return;
  Note& note = note_of(held.attachment.pod);
  if (note.given.size() == kAttachments) note.given.clear();
  note.given.try_emplace(
      held.attachment.key,
      Grounds{.at = deps_.clock.wall(),
              .mode = mode,
              .why = why,
              .addresses = text_of(held.allocation.addresses),
              .source = held.allocation.source,
              .asked = !held.attachment.wanted_ips.empty()});
}

void Decisions::refused(const ipam::Attachment& attachment, const Error& why) {
  if (attachment.pod.name.empty()) return;
  Note& note = note_of(attachment.pod);
  const Wall now = deps_.clock.wall();
  if (!note.refused || note.refused->why.code != why.code) {
    note.refused = Refusal{.why = {}, .container_id = {}, .first = now};
  }
  note.refused->why = why;
  note.refused->container_id = attachment.key.container_id;
  note.refused->last = now;
  ++note.refused->count;
}

Json Decisions::json_of(const Grounds& grounds) {
  return {{"at", second_time(grounds.at)},
          {"mode", grounds.mode},
          {"why", grounds.why},
          {"addresses", grounds.addresses},
          {"source", grounds.source},
          {"asked", grounds.asked}};
}

Json Decisions::json_of(const Refusal& refusal) {
  Json json = reason_json(refusal.why);
  json["count"] = refusal.count;
  json["containerID"] = refusal.container_id;
  json["first"] = second_time(refusal.first);
  json["last"] = second_time(refusal.last);
  return json;
}

Json Decisions::held_by(const std::string& pod, const Note* note) const {
  Json held = Json::array();
  for (const auto& [key, row] : deps_.ledger.held()) {
    if (name_of(row.attachment.pod) != pod) continue;
    Json one = parsed(rpc::to_json(row));
    if (note != nullptr && note->given.contains(key)) {
      one["decided"] = json_of(note->given.at(key));
    }
    one["earlierBoot"] = deps_.ledger.stale().contains(key);
    held.push_back(std::move(one));
  }
  return held;
}

Json Decisions::released_by(const Note& note) const {
  Json released = Json::array();
  for (const auto& [key, grounds] : note.given) {
    if (deps_.ledger.find(key) != nullptr) continue;
    released.push_back(json_of(grounds));
    released.back()["containerID"] = key.container_id;
  }
  return released;
}

Json Decisions::now_json(const rpc::Status& status) {
  return {{"ready", status.ready},
          {"mode", status.mode},
          {"modeWhy", status.mode_why},
          {"zone", status.zone},
          {"free", status.free},
          {"held", status.held},
          {"cooling", status.cooling},
          {"why", status.ready ? Json(nullptr) : reason_json(status.why)}};
}

Result<std::string> Decisions::explain(std::string_view body) const {
  const Asked asked = TRY(parse_asked(body));
  const std::string pod = asked.name_space + "/" + asked.name;
  const Note* note = find(pod);
  const rpc::Status status = deps_.status();
  const Json held = held_by(pod, note);
  Json waiting = Json::array();
  for (const ipam::Attachment& one : deps_.waiting()) {
    if (name_of(one.pod) == pod) waiting.push_back(one.key.container_id);
  }
  const bool was_refused = note != nullptr && note->refused;
  const Json released = note == nullptr ? Json::array() : released_by(*note);
  const auto pods = deps_.pods();
  const char* verdict = !held.empty()       ? "held"
                        : !waiting.empty()  ? "waiting"
                        : was_refused       ? "refused"
                        : !released.empty() ? "released"
                                            : "none";
  return dump_json(
      {{"pod", pod},
       {"node", status.node},
       {"verdict", verdict},
       {"held", held},
       {"waiting", std::move(waiting)},
       {"refused", was_refused ? json_of(*note->refused) : Json(nullptr)},
       {"released", released},
       {"knownToAPI", pods ? Json(pods->contains(pod)) : Json(nullptr)},
       {"since", second_time(began_)},
       {"now", now_json(status)}});
}

}  // namespace linsey::agent
