#include "lab/api/prepare.h"

#include <algorithm>
#include <exception>
#include <random>
#include <utility>

namespace linsey::lab::api {
namespace {

constexpr std::size_t kLongestName = 253;
constexpr std::array<const char*, 7> kSystemFields{"name",
                                                   "namespace",
                                                   "uid",
                                                   "creationTimestamp",
                                                   "deletionTimestamp",
                                                   "deletionGracePeriodSeconds",
                                                   "generation"};

bool is_name_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/// An RFC 1123 subdomain; RBAC names may hold colons and capitals.
bool valid_name(const ResourceType& type, const std::string& name) {
  if (name.empty() || name.size() > kLongestName) return false;
  if (type.group == "rbac.authorization.k8s.io") {
    return name.find_first_of("/%") == std::string::npos;
  }
  return is_name_letter(name.front()) && is_name_letter(name.back()) &&
         std::ranges::all_of(name, [](char c) {
           return is_name_letter(c) || c == '-' || c == '.';
         });
}

std::string random_suffix() {
  constexpr std::string_view kLetters = "bcdfghjklmnpqrstvwxz2456789";
  thread_local std::mt19937 random{std::random_device{}()};
  std::string out;
  for (int i = 0; i < 5; ++i) {
    out += kLetters[random() % kLetters.size()];
  }
  return out;
}

Result<void> check_label_values(const ResourceType& type, const Json& object) {
  constexpr std::size_t kLongestValue = 63;
  for (const auto& [key, value] :
       child(child(object, "metadata"), "labels").items()) {
    if (value.is_string() &&
        value.get_ref<const std::string&>().size() <= kLongestValue) {
      continue;
    }
    return invalid(type.kind, metadata_text(object, "name"),
                   "metadata.labels: Invalid value: " + value.dump() +
                       ": must be no more than 63 bytes");
  }
  return {};
}

/// Lists that a strategic merge patch merges by a key instead of replacing.
std::string merge_key(const std::string& member) {
  if (member == "conditions" || member == "addresses") return "type";
  if (member == "containers") return "name";
  return {};
}

void merge_list(Json& into, const Json& change, const std::string& key) {
  if (!into.is_array()) into = Json::array();
  for (const Json& item : change) {
    const auto at = std::ranges::find_if(into, [&](const Json& own) {
      return own.contains(key) && item.contains(key) && own[key] == item[key];
    });
    const bool gone = item.value("$patch", "") == "delete";
    if (at == into.end()) {
      if (!gone) into.push_back(item);
    } else if (gone) {
      into.erase(at);
    } else {
      at->merge_patch(item);
    }
  }
}

void merge_strategically(Json& into, const Json& change) {
  if (!into.is_object()) into = Json::object();
  for (const auto& [member, value] : change.items()) {
    if (value.is_null()) {
      into.erase(member);
    } else if (value.is_object()) {
      merge_strategically(into[member], value);
    } else if (value.is_array() && !merge_key(member).empty()) {
      merge_list(into[member], value, merge_key(member));
    } else {
      into[member] = value;
    }
  }
}

/// A built-in type always shows both halves, empty as they may be.
void complete(const ResourceType& type, Json& object) {
  if (type.custom || !type.status) return;
  for (const char* half : {"spec", "status"}) {
    if (!object[half].is_object()) object[half] = Json::object();
  }
}

void restore(Json& after, const Json& before, const char* member) {
  if (before.contains(member)) {
    after[member] = before[member];
  } else {
    after.erase(member);
  }
}

void separate_halves(const Target& target, const Json& before, Json& after) {
  const ResourceType& type = *target.type;
  if (!type.status) return;
  if (target.subresource.empty()) {
    restore(after, before, "status");
  } else if (type.custom) {
    Json status = after.contains("status") ? after["status"] : Json();
    after = before;
    if (status.is_null()) {
      after.erase("status");
    } else {
      after["status"] = std::move(status);
    }
  } else {
    restore(after, before, "spec");
  }
}

Result<void> check_finalizers(const Target& target, const Json& before,
                              const Json& after) {
  const Json& old = child(before, "metadata");
  if (!old.contains("deletionTimestamp")) return {};
  const Json had = old.value("finalizers", Json::array());
  for (const Json& one :
       child(after, "metadata").value("finalizers", Json::array())) {
    if (std::ranges::find(had, one) != had.end()) continue;
    return invalid(target.type->kind, target.name,
                   "metadata.finalizers: Forbidden: no new finalizers can be "
                   "added if the object is being deleted");
  }
  return {};
}

Json without(const Json& object, std::initializer_list<const char*> members) {
  Json out = object;
  for (const char* member : members) {
    out.erase(member);
  }
  return out;
}

}  // namespace

Result<void> check_identity(const ResourceType& type, const Json& object) {
  if (!object.is_object()) return bad_request("the body is no object");
  const std::string kind = object.value("kind", "");
  const std::string version = object.value("apiVersion", "");
  if (type.custom && (kind.empty() || version.empty())) {
    return bad_request("Object 'Kind' is missing");
  }
  if ((!kind.empty() && kind != type.kind) ||
      (!version.empty() && version != type.api_version())) {
    return bad_request(fmt::format(
        "{}, Kind={} in the body does not match the expected {}, Kind={}",
        version, kind, type.api_version(), type.kind));
  }
  return {};
}

Result<void> prepare_create(Target& target, Json& object) {
  const ResourceType& type = *target.type;
  TRY(check_identity(type, object));
  Json& metadata = object["metadata"];
  if (!metadata.is_object()) metadata = Json::object();
  if (!metadata_text(object, "resourceVersion").empty()) {
    return bad_request(
        "resourceVersion should not be set on objects to be created");
  }
  std::string name = metadata_text(object, "name");
  const std::string prefix = metadata_text(object, "generateName");
  if (name.empty() && !prefix.empty()) name = prefix + random_suffix();
  if (!valid_name(type, name)) {
    return invalid(type.kind, name,
                   name.empty() ? "metadata.name: Required value: name or "
                                  "generateName is required"
                                : "metadata.name: Invalid value: a lowercase "
                                  "RFC 1123 subdomain is required");
  }
  const std::string ns = metadata_text(object, "namespace");
  if (!ns.empty() && ns != target.name_space) {
    return bad_request(
        "the namespace of the provided object does not match the namespace "
        "sent on the request");
  }
  TRY(check_label_values(type, object));
  for (const char* field : kSystemFields) {
    metadata.erase(field);
  }
  target.name = name;
  metadata["name"] = name;
  if (type.namespaced) metadata["namespace"] = target.name_space;
  metadata["uid"] = make_uid();
  metadata["creationTimestamp"] = timestamp();
  if (type.custom) metadata["generation"] = 1;
  object["apiVersion"] = type.api_version();
  object["kind"] = type.kind;
  if (type.custom && type.status) object.erase("status");
  if (type.plural == "pods") object["status"] = {{"phase", "Pending"}};
  complete(type, object);
  return {};
}

Result<void> prepare_update(const Target& target, const Json& before,
                            Json& after) {
  if (!after.is_object() || !after["metadata"].is_object()) {
    return bad_request("metadata is no object");
  }
  const std::string sent = metadata_text(after, "resourceVersion");
  if (!sent.empty() && sent != metadata_text(before, "resourceVersion")) {
    return conflict(target.name,
                    "the object has been modified; please apply your changes "
                    "to the latest version and try again");
  }
  const std::string uid = metadata_text(after, "uid");
  if (!uid.empty() && uid != metadata_text(before, "uid")) {
    return conflict(
        target.name,
        "Precondition failed: UID in precondition: " + uid +
            ", UID in object meta: " + metadata_text(before, "uid"));
  }
  for (const char* field : kSystemFields) {
    restore(after["metadata"], before["metadata"], field);
  }
  after["metadata"]["resourceVersion"] = before["metadata"]["resourceVersion"];
  after["apiVersion"] = before["apiVersion"];
  after["kind"] = before["kind"];
  separate_halves(target, before, after);
  complete(*target.type, after);
  TRY(check_label_values(*target.type, after));
  return check_finalizers(target, before, after);
}

void count_generation(const ResourceType& type, const Json& before,
                      Json& after) {
  if (!before["metadata"].contains("generation")) return;
  const bool same = type.status ? without(before, {"metadata", "status"}) ==
                                      without(after, {"metadata", "status"})
                                : without(before, {"metadata"}) ==
                                      without(after, {"metadata"});
  const int generation = before["metadata"]["generation"].get<int>();
  after["metadata"]["generation"] = generation + (same ? 0 : 1);
}

Result<Json> apply_patch(const ResourceType& type,
                         const std::string& content_type, const Json& before,
                         const Json& change) {
  Json after = before;
  if (content_type.starts_with("application/merge-patch+json")) {
    after.merge_patch(change);
    return after;
  }
  if (content_type.starts_with("application/strategic-merge-patch+json") &&
      !type.custom) {
    merge_strategically(after, change);
    return after;
  }
  if (content_type.starts_with("application/json-patch+json")) {
    try {
      return after.patch(change);
    } catch (const std::exception& failed) {
      return invalid(type.kind, metadata_text(before, "name"), failed.what());
    }
  }
  return refused(415, "UnsupportedMediaType",
                 "the body of the request was in an unknown format - "
                 "accepted media types include: application/json-patch+json, "
                 "application/merge-patch+json");
}

}  // namespace linsey::lab::api
