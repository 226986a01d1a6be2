// `linseyctl diag`: everything that somebody who is asked for help wants to
// see of this node, without secrets, as one archive. What cannot be read is
// named in errors.txt and the rest is still written: a bundle is needed most
// where things are broken.
#include <sys/utsname.h>

#include <filesystem>
#include <map>
#include <system_error>

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "ctl/options.h"
#include "ctl/redact.h"
#include "ctl/tar.h"
#include "netlink/netns.h"
#include "netlink/socket.h"

namespace linsey::ctl {
namespace {

using Files = std::map<std::string, std::string>;

std::string maybe(const std::optional<IpAddr>& address, const char* word) {
  return address ? fmt::format(" {} {}", word, address->to_string()) : "";
}

std::string maybe(const std::optional<Cidr>& cidr, const char* word) {
  return cidr ? fmt::format(" {} {}", word, cidr->to_string()) : "";
}

std::string text(const netlink::Link& link) {
  return fmt::format("{}: {} {} mtu {} group {} {} {}\n", link.index, link.name,
                     link.kind, link.mtu, link.group, link.up ? "up" : "down",
                     link.alias);
}

std::string text(const netlink::Address& address) {
  return fmt::format("link {} {}{}\n", address.link_index,
                     address.cidr.to_string(),
                     address.tentative ? " tentative" : "");
}

std::string text(const netlink::Route& route) {
  return fmt::format(
      "table {} {}{}{}{} link {} protocol {} metric {}\n", route.table,
      route.type == netlink::RouteType::kBlackhole ? "blackhole " : "",
      route.dst.to_string(), maybe(route.gateway, "via"),
      maybe(route.src, "src"), route.link_index, route.protocol,
      route.priority);
}

std::string text(const netlink::Rule& rule) {
  return fmt::format("{}:{}{} lookup {} protocol {}\n", rule.priority,
                     maybe(rule.from, "from"), maybe(rule.to, "to"), rule.table,
                     rule.protocol);
}

class Collector {
 public:
  explicit Collector(const Options& options) : options_(options) {}

  Files run() {
    agent();
    configuration();
    kernel();
    command("versions.json", version);
    command("ipam-check.json", ipam_check);
    if (!errors_.empty()) files_["errors.txt"] = errors_;
    for (auto& [name, content] : files_) {
      content = redact(std::move(content), secrets_);
    }
    return std::move(files_);
  }

 private:
  void failed(const std::string& name, const Error& error) {
    errors_ += fmt::format("{}: {}\n", name, to_string(error));
  }
  void take(const std::string& name, const Result<std::string>& content) {
    if (content) {
      files_[name] = *content;
    } else {
      failed(name, content.error());
    }
  }

  void agent() {
    for (const char* name : {"status", "node", "ipam", "pods"}) {
      take(fmt::format("agent/{}.json", name),
           client_of(options_).get(fmt::format("/v1/{}", name)));
    }
    take("agent/metrics.txt", client_of(options_).get("/metrics"));
  }

  /// The document, and the files that it names; secrets are learned first.
  void configuration() {
    const Result<std::string> document = read_file(options_.config);
    take("config/agent.json", document);
    const Result<Json> json =
        document ? parse_json(*document) : Result<Json>(document.error());
    if (!json || !json->is_object()) return;
    learn(*json);
    const auto at = [&](const char* pointer, const char* fallback) {
      const Json::json_pointer where(pointer);
      return json->contains(where) && json->at(where).is_string()
                 ? json->at(where).get<std::string>()
                 : std::string(fallback);
    };
    take("config/bird.conf",
         read_file(at("/bgp/bird/configFile", "/run/linsey/bird/bird.conf")));
    const std::string conflists = at("/cni/confDir", "/etc/cni/net.d");
    std::error_code none;
    for (const auto& entry :
         std::filesystem::directory_iterator(conflists, none)) {
      const std::string name = entry.path().filename().string();
      take("config/net.d/" + name, read_file(entry.path().string()));
    }
  }

  void learn(const Json& json) {
    if (json.is_object()) {
      for (const auto& [key, value] : json.items()) {
        if ((key == "passwordFile" || key == "keyFile") && value.is_string()) {
          const Result<std::string> content =
              read_file(value.get<std::string>());
          if (!content) continue;  // named, and not there: nothing to hide
          for (std::string& secret : secrets_in(*content)) {
            secrets_.push_back(std::move(secret));
          }
        }
      }
    }
    if (!json.is_structured()) return;
    for (const Json& one : json) {
      learn(one);
    }
  }

  template <typename T>
  void list(const char* name, const Result<std::vector<T>>& found) {
    if (!found) {
      failed(name, found.error());
      return;
    }
    for (const T& one : *found) {
      files_[name] += text(one);
    }
  }

  void kernel() {
    struct utsname about {};
    (void)uname(&about);  // cannot fail with a good pointer
    files_["kernel/release.txt"] =
        fmt::format("{} {}\n", about.release, about.machine);
    for (const char* key :
         {"net/ipv4/ip_forward", "net/ipv4/conf/all/rp_filter",
          "net/ipv6/conf/all/forwarding", "net/netfilter/nf_conntrack_max",
          "net/netfilter/nf_conntrack_count"}) {
      const Result<std::string> value = netlink::get_sysctl(key);
      files_["kernel/sysctls.txt"] +=
          fmt::format("{} = {}\n", key, value ? *value : "-");
    }
    Result<netlink::Socket> socket = netlink::Socket::open();
    if (!socket) {
      failed("kernel", socket.error());
      return;
    }
    list("kernel/links.txt", socket->links());
    list("kernel/addresses.txt", socket->addresses());
    list("kernel/routes.txt", socket->routes());
    list("kernel/rules.txt", socket->rules(Family::kV4));
    list("kernel/rules6.txt", socket->rules(Family::kV6));
  }

  void command(const char* name, Result<Outcome> (*ask)(const Options&)) {
    Options json = options_;
    json.output = "json";
    const Result<Outcome> outcome = ask(json);
    take(name, outcome ? Result<std::string>(outcome->out)
                       : Result<std::string>(outcome.error()));
  }

  const Options& options_;
  Files files_;
  std::string errors_;
  std::vector<std::string> secrets_;
};

}  // namespace

Result<Outcome> diag(const Options& options) {
  const Files files = Collector(options).run();
  const std::string where =
      options.bundle.empty() ? "linsey-diag.tar" : options.bundle;
  TRY(write_file_atomic(where, tar_of(files), {.mode = 0600, .sync = false}));
  Json names = Json::array();
  Outcome result;
  result.out =
      fmt::format("{}: {} files, secrets removed\n", where, files.size());
  for (const auto& [name, content] : files) {
    names.push_back(name);
    result.out += fmt::format("  {} ({} bytes)\n", name, content.size());
  }
  if (options.json()) result.out = pretty({{"file", where}, {"files", names}});
  return result;
}

}  // namespace linsey::ctl
