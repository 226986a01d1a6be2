#include "agent/api.h"

#include <charconv>
#include <utility>

#include "rpc/http.h"
#include "rpc/message.h"

namespace linsey::agent {
namespace {

constexpr char kName[] = "rpc";

rpc::IoHooks io_of(Loop& loop) {
  return {.watch =
              [&loop](int fd, std::uint32_t events, auto ready) {
                loop.watch(fd, events, kName, std::move(ready));
              },
          .modify = [&loop](int fd,
                            std::uint32_t events) { loop.modify(fd, events); },
          .unwatch = [&loop](int fd) { loop.unwatch(fd); },
          .after =
              [&loop](Duration delay, auto callback) {
                return loop.after(delay, kName, std::move(callback));
              },
          .cancel = [&loop](std::uint64_t timer) { loop.cancel(timer); }};
}

Error unknown_path(const rpc::Request& request) {
  return make_error(Code::kDecode, "{} {}: no such call", request.method,
                    request.path);
}

struct Endpoint {
  IpAddr address;
  std::uint16_t port = 0;
};

/// "127.0.0.1:9479", "[::1]:9479".
Result<Endpoint> parse_endpoint(const std::string& text) {
  const auto colon = text.rfind(':');
  Endpoint endpoint;
  if (colon != std::string::npos) {
    std::string host = text.substr(0, colon);
    if (host.starts_with('[') && host.ends_with(']')) {
      host = host.substr(1, host.size() - 2);
    }
    const Result<IpAddr> address = IpAddr::parse(host);
    const char* end = text.data() + text.size();
    const auto [rest, error] =
        std::from_chars(text.data() + colon + 1, end, endpoint.port);
    if (address && error == std::errc() && rest == end && endpoint.port != 0) {
      endpoint.address = *address;
      return endpoint;
    }
  }
  return make_error(Code::kInvalidConfig,
                    "/metricsListen: \"{}\" is no ADDRESS:PORT", text);
}

}  // namespace

Api::Api(ApiDeps deps)
    : deps_(std::move(deps)),
      server_(io_of(deps_.loop),
              {.request =
                   [this](rpc::RequestId id, const rpc::Request& request) {
                     serve(id, request);
                   },
               .hung_up =
                   [this](rpc::RequestId id) { deps_.service.hung_up(id); }}) {}

Result<void> Api::listen(const std::string& socket,
                         const std::string& metrics_listen) {
  TRY(server_.listen(socket));
  if (metrics_listen.empty()) return {};
  const Endpoint endpoint = TRY(parse_endpoint(metrics_listen));
  return server_.listen_tcp(endpoint.address, endpoint.port);
}

void Api::stop_accepting() {
  server_.stop_accepting();
}

void Api::fail(rpc::RequestId id, const Error& error) {
  (void)server_.answer(id, rpc::failure(error));  // nothing to undo
}

void Api::serve(rpc::RequestId id, const rpc::Request& request) {
  if (request.method == "GET") {
    get(id, request);
  } else if (request.method == "POST" && !request.from_tcp) {
    post(id, request);
  } else {
    fail(id, unknown_path(request));
  }
}

void Api::get(rpc::RequestId id, const rpc::Request& request) {
  rpc::Response response;
  const auto view = deps_.views.find(request.path);
  if (request.path == "/healthz") {
    response = rpc::text("ok\n");
  } else if (request.path == "/readyz") {
    response = ready();
  } else if (request.path == "/metrics") {
    response = rpc::text(deps_.metrics.text());
    response.content_type = "text/plain; version=0.0.4";
  } else if (request.path == "/v1/status" && !request.from_tcp) {
    response = rpc::ok(rpc::to_json(status()));
  } else if (view != deps_.views.end() && !request.from_tcp) {
    response = rpc::ok(view->second());
  } else {
    response = rpc::failure(unknown_path(request));
  }
  (void)server_.answer(id, response);  // a question leaves nothing to undo
}

rpc::Status Api::status() const {
  rpc::Status status = deps_.service.status();
  status.node = deps_.node_name;
  return status;
}

rpc::Response Api::ready() const {
  const rpc::Status now = status();
  if (now.ready) return rpc::text("ok\n");
  rpc::Response response = rpc::text(to_string(now.why) + "\n");
  response.status = 503;
  return response;
}

void Api::post(rpc::RequestId id, const rpc::Request& request) {
  if (request.path == "/v1/allocate") {
    allocate(id, request);
  } else if (request.path == "/v1/release") {
    release(id, request);
  } else if (request.path == "/v1/check") {
    check(id, request);
  } else if (request.path == "/v1/gc") {
    gc(id, request);
  } else if (const auto action = deps_.actions.find(request.path);
             action != deps_.actions.end()) {
    const Result<std::string> done = action->second(request.body);
    (void)server_.answer(id,
                         done ? rpc::ok(*done) : rpc::failure(done.error()));
  } else {
    fail(id, unknown_path(request));
  }
}

void Api::allocate(rpc::RequestId id, const rpc::Request& request) {
  Result<ipam::Attachment> attachment = rpc::parse_attachment(request.body);
  if (!attachment) {
    fail(id, attachment.error());
    return;
  }
  AllocateCall call;
  call.ticket = id;
  call.attachment = std::move(attachment).value();
  if (request.timeout) call.patience = *request.timeout;
  call.asked_at = request.began;
  call.reply = [this, id](const Result<rpc::Lease>& lease) {
    return server_.answer(id, lease ? rpc::ok(rpc::to_json(*lease))
                                    : rpc::failure(lease.error()));
  };
  deps_.service.allocate(std::move(call));
}

void Api::release(rpc::RequestId id, const rpc::Request& request) {
  const Result<rpc::ReleaseRequest> what = rpc::parse_release(request.body);
  if (!what) {
    fail(id, what.error());
    return;
  }
  deps_.service.release(*what, [this, id](const Result<void>& done) {
    // A client that is gone changes nothing: the release stands.
    (void)server_.answer(id, done ? rpc::ok("{}") : rpc::failure(done.error()));
  });
}

void Api::check(rpc::RequestId id, const rpc::Request& request) {
  const Result<ipam::AttachmentKey> key = rpc::parse_key(request.body);
  if (!key) {
    fail(id, key.error());
    return;
  }
  const Result<ipam::Held> held = deps_.service.check(*key);
  (void)server_.answer(
      id, held ? rpc::ok(rpc::to_json(*held)) : rpc::failure(held.error()));
}

void Api::gc(rpc::RequestId id, const rpc::Request& request) {
  const Result<rpc::GcRequest> what = rpc::parse_gc_request(request.body);
  if (!what) {
    fail(id, what.error());
    return;
  }
  deps_.service.gc(*what, [this, id](const Result<rpc::GcReply>& reply) {
    (void)server_.answer(id, reply ? rpc::ok(rpc::to_json(*reply))
                                   : rpc::failure(reply.error()));
  });
}

}  // namespace linsey::agent
