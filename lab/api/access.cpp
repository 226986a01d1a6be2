#include "lab/api/access.h"

#include <algorithm>
#include <utility>

namespace linsey::lab::api {
namespace {

const std::string kRbac = "/apis/rbac.authorization.k8s.io/v1/";
const std::string kNodeNameKey = "authentication.kubernetes.io/node-name";

bool holds(const Json& rule, const char* key, const std::string& value) {
  const auto list = rule.find(key);
  if (list == rule.end() || !list->is_array()) return false;
  return std::ranges::any_of(
      *list, [&](const Json& one) { return one == value || one == "*"; });
}

bool rule_grants(const Json& rule, const std::string& verb,
                 const Target& target) {
  std::string resource = target.type->plural;
  if (!target.subresource.empty()) resource += "/" + target.subresource;
  if (!holds(rule, "verbs", verb) ||
      !holds(rule, "apiGroups", target.type->group) ||
      !holds(rule, "resources", resource)) {
    return false;
  }
  const auto names = rule.find("resourceNames");
  return names == rule.end() || names->empty() ||
         holds(rule, "resourceNames", target.name);
}

bool is_subject(const Json& subject, const User& user) {
  const std::string kind = subject.value("kind", "");
  const std::string name = subject.value("name", "");
  if (kind == "Group") return std::ranges::count(user.groups, name) != 0;
  if (kind == "User") return user.name == name;
  return user.name ==
         "system:serviceaccount:" + subject.value("namespace", "") + ":" + name;
}

}  // namespace

void Access::add(const std::string& token, User user) {
  open_ = false;
  users_[token] = std::move(user);
}

Result<User> Access::who(const std::string& token) const {
  if (open_) return User{"system:admin", {"system:masters"}, {}};
  const auto found = users_.find(token);
  if (found == users_.end()) {
    return make_error(Code::kApiUnauthorized, "Unauthorized");
  }
  return found->second;
}

ObjectPtr Access::role_of(const Json& binding, const std::string& ns) const {
  const Json& ref = child(binding, "roleRef");
  const bool cluster = ref.value("kind", "") == "ClusterRole";
  return store_.find({kRbac + (cluster ? "clusterroles" : "roles"),
                      cluster ? "" : ns, ref.value("name", "")});
}

bool Access::granted(const User& user, const std::string& verb,
                     const Target& target, const std::string& binding_type,
                     const std::string& ns) const {
  for (const ObjectPtr& binding : store_.all(kRbac + binding_type, ns)) {
    const Json subjects = binding->value("subjects", Json::array());
    if (std::ranges::none_of(
            subjects, [&](const Json& s) { return is_subject(s, user); })) {
      continue;
    }
    const ObjectPtr role = role_of(*binding, ns);
    if (!role) continue;
    const Json rules = role->value("rules", Json::array());
    if (std::ranges::any_of(rules, [&](const Json& rule) {
          return rule_grants(rule, verb, target);
        })) {
      return true;
    }
  }
  return false;
}

Result<void> Access::may(const User& user, const std::string& verb,
                         const Target& target) const {
  if (std::ranges::count(user.groups, "system:masters") != 0) return {};
  if (granted(user, verb, target, "clusterrolebindings", "")) return {};
  if (!target.name_space.empty() &&
      granted(user, verb, target, "rolebindings", target.name_space)) {
    return {};
  }
  const std::string resource =
      target.type->plural +
      (target.subresource.empty() ? "" : "/" + target.subresource);
  return forbidden(fmt::format(
      "{}{}{} is forbidden: User \"{}\" cannot {} resource \"{}\" in API group "
      "\"{}\" {}",
      target.type->plural, target.type->group.empty() ? "" : ".",
      target.type->group +
          (target.name.empty() ? "" : " \"" + target.name + "\""),
      user.name, verb, resource, target.type->group,
      target.name_space.empty()
          ? "at the cluster scope"
          : "in the namespace \"" + target.name_space + "\""));
}

Result<Json> Access::make_token(const Target& account, const Json& request) {
  if (!store_.find({account.type->path(), account.name_space, account.name})) {
    return not_found("serviceaccounts", account.name);
  }
  User user{
      "system:serviceaccount:" + account.name_space + ":" + account.name,
      {"system:serviceaccounts", "system:serviceaccounts:" + account.name_space,
       "system:authenticated"},
      {}};
  const Json& bound = child(child(request, "spec"), "boundObjectRef");
  if (bound.value("kind", "") == "Pod") {
    const std::string name = bound.value("name", "");
    const ObjectPtr pod =
        store_.find({"/api/v1/pods", account.name_space, name});
    if (!pod) return not_found("pods", name);
    const std::string node = child(*pod, "spec").value("nodeName", "");
    user.extra["authentication.kubernetes.io/pod-name"] = {name};
    user.extra["authentication.kubernetes.io/pod-uid"] = {
        metadata_text(*pod, "uid")};
    if (!node.empty()) user.extra[kNodeNameKey] = {node};
  }
  const std::string token = make_uid() + make_uid();
  users_[token] = std::move(user);
  Json out = request;
  out["kind"] = "TokenRequest";
  out["apiVersion"] = "authentication.k8s.io/v1";
  out["status"] = {{"token", token}, {"expirationTimestamp", timestamp()}};
  return out;
}

}  // namespace linsey::lab::api
