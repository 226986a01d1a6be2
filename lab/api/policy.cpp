#include "lab/api/policy.h"

#include <algorithm>

#include "lab/api/cel.h"

namespace linsey::lab::api {
namespace {

const std::string kGroup = "/apis/admissionregistration.k8s.io/v1/";

Json list_at(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found == object.end() ? Json::array() : *found;
}

bool names(const Json& rule, const char* key, const std::string& value) {
  return std::ranges::any_of(list_at(rule, key), [&](const Json& one) {
    return one == value || one == "*";
  });
}

bool concerns(const Json& policy, const Attempt& attempt) {
  const ResourceType& type = *attempt.target->type;
  const std::string& sub = attempt.target->subresource;
  const std::string resource = type.plural + (sub.empty() ? "" : "/" + sub);
  const Json rules = list_at(child(child(policy, "spec"), "matchConstraints"),
                             "resourceRules");
  return std::ranges::any_of(rules, [&](const Json& rule) {
    return names(rule, "apiGroups", type.group) &&
           names(rule, "apiVersions", type.version) &&
           names(rule, "operations", attempt.operation) &&
           names(rule, "resources", resource);
  });
}

bool bound(const Store& store, const std::string& policy) {
  const auto bindings =
      store.all(kGroup + "validatingadmissionpolicybindings", "");
  return std::ranges::any_of(bindings, [&](const ObjectPtr& binding) {
    const Json& spec = child(*binding, "spec");
    return spec.value("policyName", "") == policy &&
           names(spec, "validationActions", "Deny");
  });
}

Json request_of(const Attempt& attempt) {
  const User& user = *attempt.user;
  Json who = {{"username", user.name}, {"groups", user.groups}};
  if (!user.extra.empty()) who["extra"] = user.extra;
  return {{"name", attempt.target->name},
          {"namespace", attempt.target->name_space},
          {"operation", attempt.operation},
          {"subResource", attempt.target->subresource},
          {"resource",
           {{"group", attempt.target->type->group},
            {"version", attempt.target->type->version},
            {"resource", attempt.target->type->plural}}},
          {"userInfo", std::move(who)}};
}

/// Evaluated in order; one that fails is missing, and so is whatever needs it.
Json variables_of(const Json& spec, const CelScope& scope) {
  Json out = Json::object();
  for (const Json& variable : list_at(spec, "variables")) {
    const CelScope inner{&scope, "variables", &out};
    Result<Json> value = run_cel(variable.value("expression", ""), inner);
    if (value) out[variable.value("name", "")] = std::move(*value);
  }
  return out;
}

std::string words_of(const Json& validation, const CelScope& scope) {
  const std::string expression = validation.value("messageExpression", "");
  const Result<Json> words =
      expression.empty() ? Result<Json>(Json()) : run_cel(expression, scope);
  if (words && words->is_string()) return words->get<std::string>();
  return validation.value(
      "message", "failed expression: " + validation.value("expression", ""));
}

Result<void> judge(const Json& policy, const Attempt& attempt) {
  static const Json kNull;
  const Json request = request_of(attempt);
  const CelScope first{nullptr, "request", &request};
  const CelScope second{&first, "object",
                        attempt.object == nullptr ? &kNull : attempt.object};
  const CelScope third{
      &second, "oldObject",
      attempt.old_object == nullptr ? &kNull : attempt.old_object};
  const Json& spec = child(policy, "spec");
  for (const Json& condition : list_at(spec, "matchConditions")) {
    const Result<Json> met = run_cel(condition.value("expression", ""), third);
    if (met && *met == Json(false)) return {};
  }
  const Json variables = variables_of(spec, third);
  const CelScope scope{&third, "variables", &variables};
  for (const Json& validation : list_at(spec, "validations")) {
    const Result<Json> holds =
        run_cel(validation.value("expression", ""), scope);
    if (holds && *holds == Json(true)) continue;
    const std::string name = metadata_text(policy, "name");
    return invalid(
        attempt.target->type->plural, attempt.target->name,
        fmt::format("ValidatingAdmissionPolicy '{}' denied request: {}", name,
                    holds ? words_of(validation, scope) : holds.error().msg));
  }
  return {};
}

}  // namespace

Result<void> admitted(const Store& store, const Attempt& attempt) {
  for (const ObjectPtr& policy :
       store.all(kGroup + "validatingadmissionpolicies", "")) {
    if (!concerns(*policy, attempt)) continue;
    if (!bound(store, metadata_text(*policy, "name"))) continue;
    TRY(judge(*policy, attempt));
  }
  return {};
}

std::string policy_fault(const Json& policy) {
  const Json& spec = child(policy, "spec");
  for (const char* part : {"matchConditions", "variables", "validations"}) {
    for (const Json& one : list_at(spec, part)) {
      const auto parsed = parse_cel(one.value("expression", ""));
      if (!parsed) return parsed.error().msg;
    }
  }
  return {};
}

}  // namespace linsey::lab::api
