#include "lab/api/selection.h"

#include <algorithm>
#include <utility>

namespace linsey::lab::api {
namespace {

/// "spec.nodeName" of an object; "" where it is absent, as the server has it.
std::string field_of(const Json& object, const std::string& path) {
  const Json* at = &object;
  std::size_t start = 0;
  while (start <= path.size()) {
    const auto end = std::min(path.find('.', start), path.size());
    if (!at->is_object()) return {};
    const auto next = at->find(path.substr(start, end - start));
    if (next == at->end()) return {};
    at = &*next;
    start = end + 1;
  }
  if (at->is_string()) return at->get<std::string>();
  return at->is_null() ? std::string() : at->dump();
}

}  // namespace

Result<std::vector<Selection::Term>> Selection::read_fields(
    const ResourceType& type, const std::string& text) {
  std::vector<Term> terms;
  std::size_t start = 0;
  while (start < text.size()) {
    const auto end = std::min(text.find(',', start), text.size());
    const std::string part = text.substr(start, end - start);
    start = end + 1;
    const auto equals = part.find('=');
    if (equals == std::string::npos || equals == 0) {
      return bad_request("invalid field selector: " + part);
    }
    Term term{.equal = part[equals - 1] != '!'};
    term.field = part.substr(0, term.equal ? equals : equals - 1);
    term.value = part.substr(equals + 1);
    if (term.equal && term.value.starts_with('=')) term.value.erase(0, 1);
    const bool known = term.field == "metadata.name" ||
                       term.field == "metadata.namespace" ||
                       std::ranges::count(type.fields, term.field) != 0;
    if (!known) {
      return bad_request("field label not supported: " + term.field);
    }
    terms.push_back(std::move(term));
  }
  return terms;
}

Result<Selection> Selection::read(const ResourceType& type, const Call& call) {
  Selection out;
  Result<conf::Selector> labels =
      conf::Selector::parse(call.option("labelSelector"));
  if (!labels) return bad_request(labels.error().msg);
  out.labels_ = std::move(*labels);
  out.fields_ = TRY(read_fields(type, call.option("fieldSelector")));
  return out;
}

bool Selection::matches(const Json& object) const {
  const bool fields = std::ranges::all_of(fields_, [&](const Term& term) {
    return (field_of(object, term.field) == term.value) == term.equal;
  });
  if (!fields || labels_.empty()) return fields;
  conf::Labels own;
  for (const auto& [key, value] :
       child(child(object, "metadata"), "labels").items()) {
    if (value.is_string()) own[key] = value.get<std::string>();
  }
  return labels_.matches(own);
}

}  // namespace linsey::lab::api
