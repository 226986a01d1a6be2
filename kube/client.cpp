#include "kube/client.h"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <utility>

#include <nlohmann/json.hpp>

namespace linsey::kube {
namespace {

constexpr std::string_view kRetryMark = "retry after ";

std::string query_of(const Selection& which) {
  std::string query;
  if (!which.label_selector.empty()) {
    query += "&labelSelector=" + percent_encode(which.label_selector);
  }
  if (!which.field_selector.empty()) {
    query += "&fieldSelector=" + percent_encode(which.field_selector);
  }
  return query;
}

std::string text_at(const Json& json, const char* key) {
  const Json* value = find_member(json, key);
  return value != nullptr && value->is_string() ? value->get<std::string>()
                                                : std::string();
}

Code code_of(int status, const std::string& reason) {
  if (reason == "AlreadyExists") return Code::kApiExists;
  if (reason == "Expired" || reason == "Gone") return Code::kApiExpired;
  switch (status) {
    case 400:
    case 405:
    case 415:
    case 422:
      return Code::kApiInvalid;
    case 401:
      return Code::kApiUnauthorized;
    case 403:
      return Code::kApiForbidden;
    case 404:
      return Code::kApiNotFound;
    case 409:
      return Code::kApiConflict;
    case 410:
      return Code::kApiExpired;
    case 429:
      return Code::kApiThrottled;
    default:
      return status >= 500 ? Code::kApiUnavailable : Code::kApiBadReply;
  }
}

Error status_error(const Request& request, const Response& response) {
  const Result<Json> body = parse_json(response.body);
  std::string reason;
  std::string message;
  if (body) {
    reason = text_at(*body, "reason");
    message = text_at(*body, "message");
  }
  if (message.empty()) message = response.body.substr(0, 200);
  Error error =
      make_error(code_of(response.status, reason), "{} {}: {}", request.method,
                 request.path.substr(0, request.path.find('?')), message);
  error.details = fmt::format("HTTP {} {}", response.status, reason);
  const auto wait = response.headers.find("retry-after");
  if (wait != response.headers.end()) {
    error.details += fmt::format("; {}{} s", kRetryMark, wait->second);
    // A server that names a time is busy, whatever the status says.
    if (response.status >= 500) error.code = Code::kApiThrottled;
  }
  return error;
}

std::string name_of(const Json& object) {
  const Json* metadata = find_member(object, "metadata");
  return metadata == nullptr ? std::string() : text_at(*metadata, "name");
}

std::string object_path(const Resource& type, const std::string& ns,
                        const std::string& name, std::string_view subresource) {
  std::string path = type.path(ns) + "/" + percent_encode(name);
  if (!subresource.empty()) path += "/" + std::string(subresource);
  return path;
}

}  // namespace

std::string percent_encode(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                       (c >= '0' && c <= '9') || c == '-' || c == '.' ||
                       c == '_' || c == '~';
    out += plain ? std::string(1, c)
                 : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

std::string Resource::path(const std::string& ns) const {
  std::string out = group.empty() ? "/api/" + version
                                  : fmt::format("/apis/{}/{}", group, version);
  if (!ns.empty()) out += "/namespaces/" + percent_encode(ns);
  return out + "/" + plural;
}

std::optional<std::chrono::seconds> retry_after(const Error& error) {
  const auto at = error.details.find(kRetryMark);
  if (at == std::string::npos) return std::nullopt;
  const char* begin = error.details.data() + at + kRetryMark.size();
  unsigned seconds = 0;
  const auto [end, bad] = std::from_chars(
      begin, error.details.data() + error.details.size(), seconds);
  if (bad != std::errc() || seconds > 3600) return std::nullopt;
  return std::chrono::seconds(seconds);
}

Result<Json> read_reply(const Request& request, const Response& response) {
  if (response.status < 200 || response.status > 299) {
    return status_error(request, response);
  }
  Result<Json> body = parse_json(response.body);
  if (!body || !body->is_object()) {
    return make_error(Code::kApiBadReply, "{} {}: the reply is no JSON object",
                      request.method, request.path);
  }
  return body;
}

Result<Response> Client::send(const Request& request) {
  Response response = TRY(transport_.send(request));
  // The transport has dropped its token; the file may hold a newer one.
  if (response.status == 401) response = TRY(transport_.send(request));
  return response;
}

Result<Json> Client::call(const Request& request) {
  return read_reply(request, TRY(send(request)));
}

Result<Json> Client::get(const Resource& type, const std::string& ns,
                         const std::string& name) {
  return call({.path = type.path(ns) + "/" + percent_encode(name)});
}

Result<Page> Client::page(const Resource& type, const std::string& ns,
                          const Selection& which, const PageOptions& options) {
  std::string path = fmt::format("{}?limit={}{}", type.path(ns), options.limit,
                                 query_of(which));
  if (!options.next.empty()) {
    path += "&continue=" + percent_encode(options.next);
  }
  const Request request{.path = std::move(path)};
  const Response response = TRY(send(request));
  Json reply = TRY(read_reply(request, response));
  const Json* metadata = find_member(reply, "metadata");
  const auto items = reply.find("items");
  if (metadata == nullptr || items == reply.end() ||
      !(items->is_array() || items->is_null())) {
    return make_error(Code::kApiBadReply, "GET {}: the reply is no list",
                      type.path(ns));
  }
  Page page{.resource_version = text_at(*metadata, "resourceVersion"),
            .next = text_at(*metadata, "continue"),
            .bytes = response.body.size()};
  for (Json& item : *items) {
    page.items.push_back(std::move(item));
  }
  return page;
}

Result<List> Client::list(const Resource& type, const std::string& ns,
                          const Selection& which) {
  List list;
  PageOptions options;
  do {
    Page page = TRY(this->page(type, ns, which, options));
    std::ranges::move(page.items, std::back_inserter(list.items));
    list.resource_version = std::move(page.resource_version);
    options.next = std::move(page.next);
  } while (!options.next.empty());
  return list;
}

Result<Json> Client::create(const Resource& type, const std::string& ns,
                            const Json& object) {
  return call(
      {.method = "POST", .path = type.path(ns), .body = dump_json(object)});
}

Result<Json> Client::update(const Resource& type, const std::string& ns,
                            const Json& object) {
  return call({.method = "PUT",
               .path = type.path(ns) + "/" + percent_encode(name_of(object)),
               .body = dump_json(object)});
}

Result<void> Client::remove(const Resource& type, const std::string& ns,
                            const std::string& name,
                            const DeleteOptions& options) {
  Json body = {{"kind", "DeleteOptions"}, {"apiVersion", "v1"}};
  if (!options.uid.empty()) body["preconditions"]["uid"] = options.uid;
  if (!options.resource_version.empty()) {
    body["preconditions"]["resourceVersion"] = options.resource_version;
  }
  (void)TRY(call({.method = "DELETE",
                  .path = type.path(ns) + "/" + percent_encode(name),
                  .body = dump_json(body)}));
  return {};
}

Result<Json> Client::patch_path(const std::string& path, const Json& change,
                                const char* content_type) {
  return call({.method = "PATCH",
               .path = path,
               .body = dump_json(change),
               .content_type = content_type});
}

Result<Json> Client::patch(const Resource& type, const std::string& ns,
                           const std::string& name, const Json& change,
                           std::string_view subresource) {
  return patch_path(object_path(type, ns, name, subresource), change,
                    "application/merge-patch+json");
}

Result<Json> Client::patch_strategic(const Resource& type,
                                     const std::string& ns,
                                     const std::string& name,
                                     const Json& change,
                                     std::string_view subresource) {
  return patch_path(object_path(type, ns, name, subresource), change,
                    "application/strategic-merge-patch+json");
}

Result<std::string> Client::version() {
  const Json reply = TRY(call({.path = "/version"}));
  return text_at(reply, "gitVersion");
}

}  // namespace linsey::kube
