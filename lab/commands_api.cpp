// `linsey-lab api`: the simulated API server as a process of its own.
#include <signal.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "lab/api/http_front.h"
#include "lab/api/manifest.h"
#include "lab/commands.h"
#include "lab/sim/http_server.h"

namespace linsey::lab {
namespace {

const std::string kAdminToken = "admin";

struct Endpoint {
  IpAddr address;
  std::uint16_t port = 0;
};

Result<Endpoint> read_endpoint(const std::string& text) {
  const auto colon = text.rfind(':');
  Endpoint out;
  out.address = TRY(IpAddr::parse(text.substr(0, colon)));
  const std::string port =
      colon == std::string::npos ? "0" : text.substr(colon + 1);
  const char* end = port.data() + port.size();
  const auto [stop, bad] = std::from_chars(port.data(), end, out.port);
  if (bad == std::errc() && stop == end) return out;
  return make_error(Code::kInvalidConfig, "--listen {}: wants ADDRESS:PORT",
                    text);
}

/// {"TOKEN": {"name": …, "groups": […], "extra": {KEY: […]}}}
Result<void> add_tokens(api::Server& server, const std::string& file) {
  server.add_token(kAdminToken, {"admin", {"system:masters"}, {}});
  if (file.empty()) return {};
  const Json tokens = TRY(parse_json(TRY(read_file(file))));
  for (const auto& item : tokens.items()) {
    const std::string& token = item.key();
    const Json& who = item.value();
    ObjectReader reader(&who, "/" + token);
    api::User user;
    reader.get("name", user.name);
    reader.get("groups", user.groups);
    reader.object("extra", [&](ObjectReader& extra) {
      for (const auto& [key, value] : api::child(who, "extra").items()) {
        extra.get(key, user.extra[key]);
      }
    });
    TRY(context(reader.finish(), "{}", file));
    server.add_token(token, std::move(user));
  }
  return {};
}

Result<void> apply_all(api::Server& server, const std::string& path) {
  const auto transport = server.connect(kAdminToken);
  kube::Client client(*transport);
  for (const Json& object : TRY(api::read_manifests(path))) {
    (void)TRY(api::apply(client, object));
  }
  return {};
}

/// Until it is told to end: SIGUSR1 takes it down and up, SIGUSR2 makes it
/// silent and speak again, SIGHUP makes it forget its history.
void obey(api::Server& server, const sigset_t& signals) {
  while (true) {
    int number = 0;
    (void)sigwait(&signals, &number);
    if (number == SIGUSR1) {
      server.set_down(!server.down());
    } else if (number == SIGUSR2) {
      server.set_silent(!server.silent());
    } else if (number == SIGHUP) {
      server.expire();
    } else {
      return;
    }
  }
}

Result<void> serve_api(const ApiOptions& options) {
  sigset_t signals;
  (void)sigemptyset(&signals);
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2}) {
    (void)sigaddset(&signals, number);
  }
  (void)pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  const Endpoint where = TRY(read_endpoint(options.listen));
  api::Server server;
  TRY(add_tokens(server, options.tokens_file));
  for (const std::string& path : options.manifests) {
    TRY(apply_all(server, path));
  }
  UniqueFd listener = TRY(sim::listen_tcp(where.address, where.port));
  const std::uint16_t port = TRY(sim::port_of(listener));
  api::Identity identity;
  if (!options.plain) identity = TRY(api::make_identity({where.address}));
  const auto front = TRY(api::HttpFront::start(
      server, std::move(listener), options.plain ? nullptr : &identity));
  const std::string host = where.address.is_v4()
                               ? where.address.to_string()
                               : "[" + where.address.to_string() + "]";
  const std::string url =
      fmt::format("{}://{}:{}", options.plain ? "http" : "https", host, port);
  if (!options.kubeconfig.empty()) {
    TRY(write_file_atomic(options.kubeconfig,
                          api::kubeconfig(url, identity.ca_pem, kAdminToken),
                          {.mode = 0600, .sync = false}));
  }
  std::printf("%s\n", url.c_str());
  (void)std::fflush(stdout);
  obey(server, signals);
  std::printf("%s\n", dump_json(server.counters(), 2).c_str());
  return {};
}

}  // namespace

int command_api(const ApiOptions& options) {
  const Result<void> done = serve_api(options);
  return done ? 0 : complain(done.error());
}

}  // namespace linsey::lab
