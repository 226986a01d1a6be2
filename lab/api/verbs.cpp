#include "lab/api/verbs.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "lab/api/policy.h"
#include "lab/api/prepare.h"
#include "lab/api/schema.h"
#include "lab/api/selection.h"

namespace linsey::lab::api {
namespace {

constexpr std::size_t kPagesKept = 64;

Place place_of(const Target& target) {
  return {target.type->path(), target.name_space, target.name};
}

std::string resource_name(const ResourceType& type) {
  return type.group.empty() ? type.plural : type.plural + "." + type.group;
}

bool has_finalizers(const Json& object) {
  const Json& metadata = child(object, "metadata");
  const auto found = metadata.find("finalizers");
  return found != metadata.end() && found->is_array() && !found->empty();
}

/// Kubelets end pods in two steps: marked with a grace period first.
bool marked_first(const Target& target, const Json& pod, const Json& options) {
  if (target.type->plural != "pods") return false;
  return !child(pod, "spec").value("nodeName", "").empty() &&
         options.value("gracePeriodSeconds", 30) != 0;
}

Result<Json> read_list_head(const Target& target, std::uint64_t version) {
  return Json{{"kind", target.type->kind + "List"},
              {"apiVersion", target.type->api_version()},
              {"metadata", {{"resourceVersion", std::to_string(version)}}},
              {"items", Json::array()}};
}

}  // namespace

Result<Json> Verbs::get(const Target& target) const {
  const ObjectPtr found = store_.find(place_of(target));
  if (!found) return not_found(resource_name(*target.type), target.name);
  return *found;
}

Result<Verbs::Page> Verbs::page_of(const Target& target, const Call& call) {
  const std::string token = call.option("continue");
  if (!token.empty()) {
    const auto kept = std::ranges::find_if(
        pages_, [&](const auto& page) { return page.first == token; });
    if (kept == pages_.end() || !store_.remembers(kept->second.version)) {
      return make_error(Code::kApiExpired,
                        "The provided continue parameter is too old to "
                        "display a consistent list result");
    }
    return kept->second;
  }
  const Selection which = TRY(Selection::read(*target.type, call));
  Page page{.version = store_.version()};
  for (ObjectPtr& object : store_.all(target.type->path(), target.name_space)) {
    if (which.matches(*object)) page.rest.push_back(std::move(object));
  }
  return page;
}

Result<Json> Verbs::list(const Target& target, const Call& call) {
  Page page = TRY(page_of(target, call));
  std::size_t limit = page_limit_;
  const std::string wanted = call.option("limit");
  std::size_t asked = 0;
  (void)std::from_chars(wanted.data(), wanted.data() + wanted.size(), asked);
  if (asked != 0) limit = std::min(limit, asked);
  Json out = TRY(read_list_head(target, page.version));
  const std::size_t count = std::min(limit, page.rest.size());
  for (std::size_t i = 0; i < count; ++i) {
    Json item = *page.rest[i];
    if (!target.type->custom) {
      item.erase("kind");
      item.erase("apiVersion");
    }
    out["items"].push_back(std::move(item));
  }
  page.rest.erase(page.rest.begin(),
                  page.rest.begin() + static_cast<std::ptrdiff_t>(count));
  if (page.rest.empty()) return out;
  out["metadata"]["continue"] = make_uid();
  out["metadata"]["remainingItemCount"] = page.rest.size();
  pages_.emplace_back(out["metadata"]["continue"], std::move(page));
  if (pages_.size() > kPagesKept) pages_.pop_front();
  return out;
}

Result<void> Verbs::check_namespace(const Target& target) const {
  if (!target.type->namespaced) return {};
  if (target.name_space.empty()) {
    return bad_request("an empty namespace may not be set during creation");
  }
  const Place place{"/api/v1/namespaces", "", target.name_space};
  if (store_.find(place)) return {};
  return not_found("namespaces", target.name_space);
}

Result<void> Verbs::check(const ResourceType& type, Json& object,
                          const Json* old) {
  if (type.plural == "customresourcedefinitions") {
    const std::vector<std::string> faults = definition_faults(object);
    if (!faults.empty()) {
      return invalid(type.kind, metadata_text(object, "name"), faults.front());
    }
  }
  if (type.plural == "validatingadmissionpolicies") {
    const std::string fault = policy_fault(object);
    if (!fault.empty()) {
      return invalid(type.kind, metadata_text(object, "name"), fault);
    }
  }
  if (!type.custom || type.schema.empty()) return {};
  prune_and_default(type.schema, object);
  const std::vector<std::string> wrong = violations(type.schema, object, old);
  if (wrong.empty()) return {};
  std::string all;
  for (const std::string& one : wrong) {
    all += (all.empty() ? "" : ", ") + one;
  }
  return invalid(type.kind, metadata_text(object, "name"), all);
}

Json Verbs::keep(const Place& place, const ResourceType& type, Json object) {
  const bool definition = type.plural == "customresourcedefinitions";
  if (definition) {
    object["status"]["conditions"] = {
        {{"type", "Established"}, {"status", "True"}},
        {{"type", "NamesAccepted"}, {"status", "True"}}};
  }
  const ObjectPtr stored = store_.put(place, std::move(object));
  if (definition) types_.define(*stored);
  return *stored;
}

Json Verbs::erase(const Place& place, const ResourceType& type) {
  const ObjectPtr last = store_.erase(place);
  if (type.plural == "customresourcedefinitions") types_.forget(*last);
  return {{"kind", "Status"},
          {"apiVersion", "v1"},
          {"status", "Success"},
          {"metadata", Json::object()},
          {"details",
           {{"name", place.name},
            {"group", type.group},
            {"kind", type.plural},
            {"uid", metadata_text(*last, "uid")}}}};
}

Result<Json> Verbs::create(const Target& target, const User& user,
                           Json object) {
  const ResourceType& type = *target.type;
  TRY(check_namespace(target));
  Target named = target;
  TRY(prepare_create(named, object));
  if (store_.find(place_of(named))) {
    return make_error(Code::kApiExists, "{} \"{}\" already exists",
                      resource_name(type), named.name);
  }
  TRY(check(type, object, nullptr));
  TRY(admission_({.operation = "CREATE",
                  .target = &named,
                  .user = &user,
                  .object = &object}));
  return keep(place_of(named), type, std::move(object));
}

Result<Json> Verbs::update(const Target& target, const User& user,
                           Json object) {
  if (metadata_text(object, "name") != target.name) {
    return bad_request("the name of the object does not match the URL");
  }
  const ObjectPtr before = store_.find(place_of(target));
  if (!before) {
    if (target.type->create_on_update && target.subresource.empty()) {
      Target collection = target;
      collection.name.clear();
      return create(collection, user, std::move(object));
    }
    return not_found(resource_name(*target.type), target.name);
  }
  if (target.type->needs_version &&
      metadata_text(object, "resourceVersion").empty()) {
    return invalid(target.type->kind, target.name,
                   "metadata.resourceVersion: Invalid value: 0x0: must be "
                   "specified for an update");
  }
  TRY(check_identity(*target.type, object));
  return replace(target, user, *before, std::move(object));
}

Result<Json> Verbs::patch(const Target& target, const User& user,
                          const Call& call, const Json& change) {
  const ObjectPtr before = store_.find(place_of(target));
  if (!before) return not_found(resource_name(*target.type), target.name);
  Json after =
      TRY(apply_patch(*target.type, call.content_type, *before, change));
  return replace(target, user, *before, std::move(after));
}

Result<Json> Verbs::replace(const Target& target, const User& user,
                            const Json& before, Json after) {
  const ResourceType& type = *target.type;
  TRY(prepare_update(target, before, after));
  TRY(check(type, after, &before));
  count_generation(type, before, after);
  TRY(admission_({.operation = "UPDATE",
                  .target = &target,
                  .user = &user,
                  .object = &after,
                  .old_object = &before}));
  const bool leaving = child(after, "metadata").contains("deletionTimestamp");
  if (leaving && has_finalizers(before) && !has_finalizers(after)) {
    (void)erase(place_of(target), type);
    return after;
  }
  if (after == before) return before;
  return keep(place_of(target), type, std::move(after));
}

Result<Json> Verbs::remove(const Target& target, const User& user,
                           const Json& options) {
  const ResourceType& type = *target.type;
  const ObjectPtr before = store_.find(place_of(target));
  if (!before) return not_found(resource_name(type), target.name);
  const Json& wanted = child(options, "preconditions");
  for (const char* key : {"uid", "resourceVersion"}) {
    const std::string value = wanted.value(key, "");
    if (!value.empty() && value != metadata_text(*before, key)) {
      return conflict(
          target.name,
          fmt::format("Precondition failed: {} in precondition: "
                      "{}, {} in object meta: {}",
                      key, value, key, metadata_text(*before, key)));
    }
  }
  TRY(admission_({.operation = "DELETE",
                  .target = &target,
                  .user = &user,
                  .old_object = before.get()}));
  const bool later = marked_first(target, *before, options);
  if (!has_finalizers(*before) && !later) {
    return erase(place_of(target), type);
  }
  if (child(*before, "metadata").contains("deletionTimestamp")) return *before;
  Json marked = *before;
  marked["metadata"]["deletionTimestamp"] = timestamp();
  marked["metadata"]["deletionGracePeriodSeconds"] =
      later ? options.value("gracePeriodSeconds", 30) : 0;
  if (marked["metadata"].contains("generation")) {
    marked["metadata"]["generation"] =
        marked["metadata"]["generation"].get<int>() + 1;
  }
  return keep(place_of(target), type, std::move(marked));
}

Result<Json> Verbs::remove_all(const Target& target, const User& user,
                               const Call& call) {
  const Selection which = TRY(Selection::read(*target.type, call));
  for (const ObjectPtr& object :
       store_.all(target.type->path(), target.name_space)) {
    if (!which.matches(*object)) continue;
    Target one = target;
    one.name = metadata_text(*object, "name");
    one.name_space = metadata_text(*object, "namespace");
    (void)TRY(remove(one, user, Json::object()));
  }
  return Json{{"kind", "Status"}, {"apiVersion", "v1"}, {"status", "Success"}};
}

}  // namespace linsey::lab::api
