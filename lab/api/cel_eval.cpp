#include <algorithm>
#include <charconv>
#include <functional>
#include <map>
#include <regex>
#include <set>
#include <utility>

#include "lab/api/cel.h"

namespace linsey::lab::api {
namespace {

using Kind = CelNode::Kind;
using Values = std::vector<Json>;

Error fault(const std::string& why) {
  return make_error(Code::kInvalidConfig, "{}", why);
}

const std::set<std::string> kMacros{"all", "exists", "exists_one", "map",
                                    "filter"};

Json split(const std::string& text, const std::string& by) {
  Json out = Json::array();
  std::size_t start = 0;
  while (true) {
    const auto end = text.find(by, start);
    out.push_back(text.substr(start, end - start));
    if (end == std::string::npos) return out;
    start = end + by.size();
  }
}

Result<Json> to_int(const Json& value) {
  if (value.is_number_integer()) return value;
  if (!value.is_string()) return fault("int(): no such overload");
  const auto& text = value.get_ref<const std::string&>();
  std::int64_t number = 0;
  const char* end = text.data() + text.size();
  const auto [stop, bad] = std::from_chars(text.data(), end, number);
  if (bad != std::errc() || stop != end) {
    return fault("int(): \"" + text + "\" is no number");
  }
  return Json(number);
}

const std::regex& compiled(const std::string& pattern) {
  thread_local std::map<std::string, std::regex> known;
  const auto found = known.find(pattern);
  if (found != known.end()) return found->second;
  return known.emplace(pattern, std::regex(pattern)).first->second;
}

using TextFunction = std::function<Result<Json>(const std::string& self,
                                                const std::string& argument)>;

const std::map<std::string, TextFunction>& text_functions() {
  static const std::map<std::string, TextFunction> kAll{
      {"contains",
       [](const auto& self, const auto& argument) {
         return Json(self.find(argument) != std::string::npos);
       }},
      {"startsWith",
       [](const auto& self, const auto& argument) {
         return Json(self.starts_with(argument));
       }},
      {"endsWith",
       [](const auto& self, const auto& argument) {
         return Json(self.ends_with(argument));
       }},
      {"matches",
       [](const auto& self, const auto& argument) {
         return Json(std::regex_search(self, compiled(argument)));
       }},
      {"split", [](const auto& self,
                   const auto& argument) { return split(self, argument); }},
      {"indexOf",
       [](const auto& self, const auto& argument) {
         const auto at = self.find(argument);
         return Json(at == std::string::npos ? -1
                                             : static_cast<std::int64_t>(at));
       }},
  };
  return kAll;
}

Result<Json> call_method(const std::string& name, const Values& args) {
  const Json& self = args.front();
  if (name == "size" && args.size() == 1) return Json(self.size());
  if (name == "join" && self.is_array()) {
    std::string out;
    const std::string by =
        args.size() > 1 ? args[1].get<std::string>() : std::string();
    for (const Json& part : self) {
      if (!part.is_string()) return fault("join(): no such overload");
      out += (&part == &self.front() ? "" : by) + part.get<std::string>();
    }
    return Json(out);
  }
  if (!self.is_string() || args.size() != 2) {
    return fault(name + "(): no such overload");
  }
  const auto& text = self.get_ref<const std::string&>();
  if (name == "charAt" && args[1].is_number_integer()) {
    const auto at = args[1].get<std::int64_t>();
    if (at < 0 || at > static_cast<std::int64_t>(text.size())) {
      return fault("charAt(): index out of range");
    }
    return Json(text.substr(static_cast<std::size_t>(at), 1));
  }
  const auto found = text_functions().find(name);
  if (found == text_functions().end() || !args[1].is_string()) {
    return fault(name + "(): no such overload");
  }
  return found->second(text, args[1].get_ref<const std::string&>());
}

Result<Json> call_function(const std::string& name, const Values& args) {
  if (args.size() != 1) return fault(name + "(): no such overload");
  if (name == "int") return to_int(args[0]);
  if (name == "size") {
    return args[0].is_string()
               ? Json(args[0].get_ref<const std::string&>().size())
               : Json(args[0].size());
  }
  if (name == "string") {
    return args[0].is_string() ? args[0] : Json(args[0].dump());
  }
  return fault(name + "(): undeclared reference");
}

Result<Json> member(const Json& object, const Json& key) {
  if (object.is_array() && key.is_number_integer()) {
    const auto at = key.get<std::int64_t>();
    if (at < 0 || at >= static_cast<std::int64_t>(object.size())) {
      return fault(fmt::format("index out of bounds: {}", at));
    }
    return object[static_cast<std::size_t>(at)];
  }
  if (!object.is_object() || !key.is_string()) return fault("no such overload");
  const auto found = object.find(key.get_ref<const std::string&>());
  if (found == object.end()) {
    return fault("no such key: " + key.get<std::string>());
  }
  return *found;
}

bool contains(const Json& all, const Json& one) {
  if (all.is_array()) return std::ranges::find(all, one) != all.end();
  return all.is_object() && one.is_string() &&
         all.contains(one.get_ref<const std::string&>());
}

Result<Json> arithmetic(const std::string& op, const Json& a, const Json& b) {
  if (op == "+" && a.is_string() && b.is_string()) {
    return Json(a.get<std::string>() + b.get<std::string>());
  }
  if (!a.is_number_integer() || !b.is_number_integer()) {
    return fault("no such overload: " + op);
  }
  const auto x = a.get<std::int64_t>();
  const auto y = b.get<std::int64_t>();
  if (op == "+") return Json(x + y);
  if (op == "-") return Json(x - y);
  if (op == "*") return Json(x * y);
  if (y == 0) return fault("division by zero");
  return op == "/" ? Json(x / y) : Json(x % y);
}

Result<Json> operate(const std::string& op, const Json& a, const Json& b) {
  if (op == "==") return Json(a == b);
  if (op == "!=") return Json(a != b);
  if (op == "in") return Json(contains(b, a));
  const bool comparable =
      (a.is_number() && b.is_number()) || (a.is_string() && b.is_string());
  if (op.find_first_of("<>") == std::string::npos) return arithmetic(op, a, b);
  if (!comparable) return fault("no such overload: " + op);
  if (op == "<") return Json(a < b);
  if (op == "<=") return Json(a <= b);
  return op == ">" ? Json(a > b) : Json(a >= b);
}

/// What a chain of names and members stands for, without a copy of the
/// objects on the way; null: evaluate it, if only for the error.
const Json* refer(const CelNode& node, const CelScope& scope) {
  if (node.kind == Kind::kName) return scope.find(node.text);
  if (node.kind != Kind::kMember) return nullptr;
  const Json* object = refer(*node.args[0], scope);
  if (object == nullptr || !object->is_object()) return nullptr;
  const auto found = object->find(node.text);
  return found == object->end() ? nullptr : &*found;
}

/// As CEL has it: an operand that decides hides the other's error.
Result<Json> logic(const CelNode& node, const CelScope& scope) {
  const bool deciding = node.text == "||";
  Result<Json> left = evaluate_cel(*node.args[0], scope);
  if (left && *left == Json(deciding)) return Json(deciding);
  Result<Json> right = evaluate_cel(*node.args[1], scope);
  if (right && *right == Json(deciding)) return Json(deciding);
  if (!left) return left;
  if (!right) return right;
  if (!left->is_boolean() || !right->is_boolean()) {
    return fault("no such overload: " + node.text);
  }
  return Json(!deciding);
}

Result<Json> has(const CelNode& node, const CelScope& scope) {
  if (node.args.size() != 1 || node.args[0]->kind != Kind::kMember) {
    return fault("has(): wants a member");
  }
  const CelNode& wanted = *node.args[0];
  const Json* there = refer(wanted, scope);
  if (there != nullptr) return Json(!there->is_null());
  const Json object = TRY(evaluate_cel(*wanted.args[0], scope));
  if (!object.is_object()) return Json(false);
  const auto found = object.find(wanted.text);
  return Json(found != object.end() && !found->is_null());
}

Result<Json> macro(const CelNode& node, const CelScope& scope) {
  const Json all = TRY(evaluate_cel(*node.args[0], scope));
  if (node.args.size() != 3 || node.args[1]->kind != Kind::kName ||
      !all.is_structured()) {
    return fault(node.text + "(): no such overload");
  }
  Json items = Json::array();
  for (const auto& [key, value] : all.items()) {
    items.push_back(all.is_object() ? Json(key) : value);
  }
  Json out = Json::array();
  std::size_t held = 0;
  for (const Json& item : items) {
    const CelScope inner{&scope, node.args[1]->text, &item};
    const Json value = TRY(evaluate_cel(*node.args[2], inner));
    if (value == Json(true)) ++held;
    if (node.text == "map") out.push_back(value);
    if (node.text == "filter" && value == Json(true)) out.push_back(item);
  }
  if (node.text == "all") return Json(held == items.size());
  if (node.text == "exists") return Json(held > 0);
  if (node.text == "exists_one") return Json(held == 1);
  return out;
}

Result<Json> build(const CelNode& node, const Values& args) {
  if (node.kind == Kind::kList) return Json(args);
  Json out = Json::object();
  for (std::size_t i = 0; i + 1 < args.size(); i += 2) {
    if (!args[i].is_string()) return fault("a map's keys are texts here");
    out[args[i].get<std::string>()] = args[i + 1];
  }
  return out;
}

Result<Json> unary(const CelNode& node, const Json& value) {
  if (node.text == "!" && value.is_boolean()) return Json(!value.get<bool>());
  if (node.text == "-" && value.is_number_integer()) {
    return Json(-value.get<std::int64_t>());
  }
  return fault("no such overload: " + node.text);
}

/// Nodes that evaluate all their operands first.
Result<Json> strict(const CelNode& node, const CelScope& scope) {
  Values args;
  for (const auto& argument : node.args) {
    args.push_back(TRY(evaluate_cel(*argument, scope)));
  }
  switch (node.kind) {
    case Kind::kMember:
      return member(args[0], Json(node.text));
    case Kind::kIndex:
      return member(args[0], args[1]);
    case Kind::kUnary:
      return unary(node, args[0]);
    case Kind::kBinary:
      return operate(node.text, args[0], args[1]);
    case Kind::kCall:
      return call_function(node.text, args);
    case Kind::kMethod:
      return call_method(node.text, args);
    default:
      return build(node, args);
  }
}

}  // namespace

const Json* CelScope::find(std::string_view wanted) const {
  for (const CelScope* at = this; at != nullptr; at = at->parent) {
    if (at->name == wanted) return at->value;
  }
  return nullptr;
}

Result<Json> evaluate_cel(const CelNode& node, const CelScope& scope) {
  switch (node.kind) {
    case Kind::kLiteral:
      return node.literal;
    case Kind::kName: {
      const Json* value = scope.find(node.text);
      if (value == nullptr) return fault("undeclared reference: " + node.text);
      return *value;
    }
    case Kind::kMember: {
      const Json* there = refer(node, scope);
      return there == nullptr ? strict(node, scope) : Result<Json>(*there);
    }
    case Kind::kTernary: {
      const Json which = TRY(evaluate_cel(*node.args[0], scope));
      if (!which.is_boolean()) return fault("no such overload: ?:");
      return evaluate_cel(*node.args[which.get<bool>() ? 1 : 2], scope);
    }
    case Kind::kBinary:
      if (node.text == "&&" || node.text == "||") return logic(node, scope);
      return strict(node, scope);
    case Kind::kCall:
      return node.text == "has" ? has(node, scope) : strict(node, scope);
    case Kind::kMethod:
      return kMacros.contains(node.text) ? macro(node, scope)
                                         : strict(node, scope);
    default:
      return strict(node, scope);
  }
}

Result<Json> run_cel(const std::string& text, const CelScope& scope) {
  thread_local std::map<std::string, std::unique_ptr<CelNode>> known;
  auto found = known.find(text);
  if (found == known.end()) {
    found = known.emplace(text, TRY(parse_cel(text))).first;
  }
  return evaluate_cel(*found->second, scope);
}

}  // namespace linsey::lab::api
