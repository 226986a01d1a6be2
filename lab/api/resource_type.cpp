#include "lab/api/resource_type.h"

#include <utility>

namespace linsey::lab::api {
namespace {

std::vector<std::string> segments_of(const std::string& path) {
  std::vector<std::string> out;
  std::size_t start = 1;
  while (start <= path.size()) {
    const auto end = std::min(path.find('/', start), path.size());
    if (end > start) out.push_back(path.substr(start, end - start));
    start = end + 1;
  }
  return out;
}

const std::vector<std::string> kPodFields{"spec.nodeName", "status.phase",
                                          "spec.restartPolicy",
                                          "spec.schedulerName"};
const std::vector<std::string> kEventFields{"reason", "type"};

const char* const kRbac = "rbac.authorization.k8s.io";
const char* const kAdmission = "admissionregistration.k8s.io";

std::vector<ResourceType> built_in() {
  const auto type = [](const char* group, const char* plural,
                       const char* kind) {
    return ResourceType{
        .group = group, .version = "v1", .plural = plural, .kind = kind};
  };
  const auto in_namespace = [&](const char* group, const char* plural,
                                const char* kind) {
    ResourceType out = type(group, plural, kind);
    out.namespaced = true;
    return out;
  };
  ResourceType nodes = type("", "nodes", "Node");
  nodes.status = true;
  nodes.fields = {"spec.unschedulable"};
  ResourceType pods = in_namespace("", "pods", "Pod");
  pods.status = true;
  pods.fields = kPodFields;
  ResourceType events = in_namespace("events.k8s.io", "events", "Event");
  events.create_on_update = true;
  events.fields = kEventFields;
  ResourceType old_events = in_namespace("", "events", "Event");
  old_events.create_on_update = true;
  old_events.fields = kEventFields;
  ResourceType leases = in_namespace("coordination.k8s.io", "leases", "Lease");
  leases.needs_version = true;
  leases.create_on_update = true;
  ResourceType crds = type("apiextensions.k8s.io", "customresourcedefinitions",
                           "CustomResourceDefinition");
  crds.status = true;
  crds.needs_version = true;
  ResourceType deployments = in_namespace("apps", "deployments", "Deployment");
  deployments.status = true;
  ResourceType daemon_sets = in_namespace("apps", "daemonsets", "DaemonSet");
  daemon_sets.status = true;
  return {
      nodes,
      pods,
      events,
      old_events,
      leases,
      crds,
      deployments,
      daemon_sets,
      type("", "namespaces", "Namespace"),
      in_namespace("", "configmaps", "ConfigMap"),
      in_namespace("", "secrets", "Secret"),
      in_namespace("", "serviceaccounts", "ServiceAccount"),
      in_namespace("", "services", "Service"),
      in_namespace("networking.k8s.io", "networkpolicies", "NetworkPolicy"),
      type(kRbac, "clusterroles", "ClusterRole"),
      type(kRbac, "clusterrolebindings", "ClusterRoleBinding"),
      in_namespace(kRbac, "roles", "Role"),
      in_namespace(kRbac, "rolebindings", "RoleBinding"),
      type(kAdmission, "validatingadmissionpolicies",
           "ValidatingAdmissionPolicy"),
      type(kAdmission, "validatingadmissionpolicybindings",
           "ValidatingAdmissionPolicyBinding"),
  };
}

Error no_such_path() {
  return make_error(Code::kApiNotFound,
                    "the server could not find the requested resource");
}

}  // namespace

ResourceTypes::ResourceTypes() {
  for (ResourceType& type : built_in()) {
    add(std::move(type));
  }
}

void ResourceTypes::add(ResourceType type) {
  std::string path = type.path();
  types_[std::move(path)] = std::move(type);
}

void ResourceTypes::define(const Json& crd) {
  const Json& spec = child(crd, "spec");
  const Json& names = child(spec, "names");
  for (const Json& version : spec.value("versions", Json::array())) {
    if (!version.value("served", false)) continue;
    ResourceType type{.group = spec.value("group", ""),
                      .version = version.value("name", ""),
                      .plural = names.value("plural", ""),
                      .kind = names.value("kind", "")};
    type.namespaced = spec.value("scope", "") == "Namespaced";
    type.status = child(version, "subresources").contains("status");
    type.needs_version = true;
    type.custom = true;
    type.schema = child(child(version, "schema"), "openAPIV3Schema");
    add(std::move(type));
  }
}

void ResourceTypes::forget(const Json& crd) {
  const Json& spec = child(crd, "spec");
  for (const Json& version : spec.value("versions", Json::array())) {
    types_.erase("/apis/" + spec.value("group", "") + "/" +
                 version.value("name", "") + "/" +
                 child(spec, "names").value("plural", ""));
  }
}

Result<Target> ResourceTypes::find(const std::string& path) const {
  std::vector<std::string> rest = segments_of(path);
  const std::size_t prefix = path.starts_with("/apis/") ? 3 : 2;
  if (rest.size() <= prefix) return no_such_path();
  std::string base;
  for (std::size_t i = 0; i < prefix; ++i) {
    base += "/" + rest[i];
  }
  rest.erase(rest.begin(), rest.begin() + static_cast<std::ptrdiff_t>(prefix));
  Target target;
  if (rest.size() >= 3 && rest[0] == "namespaces" && rest[2] != "status" &&
      rest[2] != "finalize") {
    target.name_space = rest[1];
    rest.erase(rest.begin(), rest.begin() + 2);
  }
  const auto type = types_.find(base + "/" + rest[0]);
  if (type == types_.end() || rest.size() > 3) return no_such_path();
  target.type = &type->second;
  if (rest.size() > 1) target.name = rest[1];
  if (rest.size() > 2) target.subresource = rest[2];
  const bool misplaced = target.type->namespaced
                             ? target.name_space.empty() && !target.name.empty()
                             : !target.name_space.empty();
  return misplaced ? Result<Target>(no_such_path()) : Result<Target>(target);
}

}  // namespace linsey::lab::api
