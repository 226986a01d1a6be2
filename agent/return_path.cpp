#include "agent/return_path.h"

#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>
#include <variant>
#include <vector>

#include "base/log.h"
#include "netlink/netns.h"
#include "netlink/nft_tables.h"
#include "netlink/sysctl_record.h"

namespace linsey::agent {
namespace {

constexpr std::string_view kTable = "inet linsey_return";
constexpr std::size_t kFamilyWord = 5;  // "inet "
/// After an event of nftables: kube-proxy makes many of them.
constexpr Duration kSettle = std::chrono::milliseconds(500);

Result<UniqueFd> listen_to_tables() {
  UniqueFd fd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
                     NETLINK_NETFILTER));
  if (!fd) return errno_error(errno, "open a netfilter socket", Code::kKernel);
  const int group = NFNLGRP_NFTABLES;
  sockaddr_nl any{};
  any.nl_family = AF_NETLINK;
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&any), sizeof any) < 0 ||
      setsockopt(fd.get(), SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group,
                 sizeof group) < 0) {
    return errno_error(errno, "listen to nftables", Code::kKernel);
  }
  return fd;
}

/// What is said does not matter: the table is compared as a whole. Lost events
/// (ENOBUFS) are events.
void empty(int fd) {
  std::array<char, 8192> buffer{};
  for (;;) {
    const ssize_t size = recv(fd, buffer.data(), buffer.size(), 0);
    if (size <= 0 && errno != EINTR && errno != ENOBUFS) return;
  }
}

netlink::Rule rule_of(const ReturnWay& way, Family family) {
  return {.family = family,
          .priority = way.priority,
          .mark = way.mark,
          .mark_mask = way.mark};
}

bool is_strict(const std::string& link) {
  const auto value = [](const std::string& of) {
    return netlink::get_sysctl("net/ipv4/conf/" + of + "/rp_filter")
        .value_or("0");
  };
  // The kernel takes the larger of both; 2 is loose.
  return std::max(value("all"), value(link)) == "1";
}

/// There and 0.
bool is_off(const std::string& sysctl) {
  return netlink::get_sysctl(sysctl).value_or("") == "0";
}

}  // namespace

std::string return_script(const ReturnWay& way) {
  // Made first, so that it can be deleted whether it was there or not.
  std::string script =
      fmt::format("table {} {{}}\ndelete table {}\n", kTable, kTable);
  if (way.mark == 0) return script;
  return script +
         fmt::format(
             "table {0} {{\n"
             "  chain enter {{\n"
             "    type filter hook prerouting priority mangle\n"
             "    iifname \"{1}\" ct direction original fib daddr type local "
             "ct mark set ct mark or {2:#x}\n"
             "    iifname != \"{1}\" ct direction reply ct mark and {2:#x} == "
             "{2:#x} meta mark set meta mark or {2:#x}\n"
             "  }}\n"
             "}}\n",
             kTable, way.primary, way.mark);
}

Result<std::unique_ptr<ReturnPath>> ReturnPath::start(
    Loop& loop, std::function<void()> on_repair) {
  std::unique_ptr<ReturnPath> path(new ReturnPath(
      loop, TRY(netlink::Socket::open()), TRY(listen_to_tables())));
  ReturnPath* self = path.get();
  path->on_repair_ = std::move(on_repair);
  path->rules_ = std::make_unique<netlink::Monitor>(TRY(
      netlink::Monitor::open({netlink::Topic::kRules}, [self](const auto& e) {
        const auto* rule = std::get_if<netlink::Rule>(&e.what);
        const bool ours = rule != nullptr && e.removed && self->way_ &&
                          rule->mark_mask == self->way_->mark;
        if (ours || rule == nullptr) self->suspect();
      })));
  loop.watch(self->tables_.get(), EPOLLIN, "nftables events",
             [self](std::uint32_t) {
               empty(self->tables_.get());
               self->suspect();
             });
  loop.watch(self->rules_->fd(), EPOLLIN, "rule events", [self](std::uint32_t) {
    const Result<void> drained = self->rules_->drain();
    if (!drained) log::warn("{}", to_string(drained.error()));
  });
  return path;
}

ReturnPath::ReturnPath(Loop& loop, netlink::Socket socket, UniqueFd tables)
    : loop_(loop), socket_(std::move(socket)), tables_(std::move(tables)) {}

ReturnPath::~ReturnPath() {
  loop_.cancel(timer_);
  loop_.unwatch(tables_.get());
  if (rules_) loop_.unwatch(rules_->fd());
}

Result<void> ReturnPath::set(const ReturnWay& way) {
  if (way_ == way) return {};
  way_.reset();
  TRY(context(apply(way), "answers by {}", way.primary));
  way_ = way;
  return {};
}

Result<void> ReturnPath::apply(const ReturnWay& way) {
  if (way.mark == 0 &&
      TRY(netlink::nft_tables(kTable.substr(kFamilyWord))).empty()) {
    return set_rules(way);
  }
  if (!nft_) nft_ = TRY(netlink::Nft::open());
  TRY(open_link(way));
  TRY(nft_->run(return_script(way)));
  wanted_ = way.mark == 0 ? "" : TRY(table());
  return set_rules(way);
}

// What an earlier configuration left goes too: only these rules of ours carry
// a mark.
Result<void> ReturnPath::set_rules(const ReturnWay& way) {
  netlink::Batch batch;
  for (const Family family : kFamilies) {
    const netlink::Rule wanted = rule_of(way, family);
    const std::vector<netlink::Rule> rules = TRY(socket_.rules(family));
    bool there = rules.empty();  // a kernel without this family
    for (const netlink::Rule& rule : rules) {
      if (rule.protocol != netlink::kProtocol || rule.mark_mask == 0) continue;
      if (rule == wanted) {
        there = true;
      } else {
        batch.delete_rule(rule, netlink::Missing::kFine);
      }
    }
    if (way.mark != 0 && !there) {
      batch.add_rule(wanted, netlink::Existing::kFine);
    }
  }
  return socket_.run(batch);
}

// Only what is wanting is changed, and noted before.
Result<void> ReturnPath::open_link(const ReturnWay& way) {
  if (way.mark == 0) return {};
  const auto link = TRY(socket_.find_link(way.primary));
  if (!link) return {};
  const auto key = [&](const char* family, const char* name) {
    return fmt::format("net/{}/conf/{}/{}", family, way.primary, name);
  };
  const std::string forced6 = key("ipv6", "force_forwarding");
  netlink::LinkChange change;
  if (is_strict(way.primary)) change.rp_filter_strict = false;
  if (is_off(key("ipv4", "forwarding"))) change.ipv4_forwarding = true;
  const bool ipv6 = is_off("net/ipv6/conf/all/forwarding") && is_off(forced6);
  if (!change.rp_filter_strict && !change.ipv4_forwarding && !ipv6) return {};
  if (!way.record_file.empty()) {
    auto record = netlink::SysctlRecord::load(way.record_file);
    TRY(record.note(
        {key("ipv4", "rp_filter"), key("ipv4", "forwarding"), forced6}));
  }
  if (ipv6) {
    const Result<void> done = netlink::set_sysctl(forced6, "1");
    if (!done) log::info("{}: {}", way.primary, done.error().msg);
  }
  return socket_.run(netlink::Batch().set_link(link->index, change));
}

Result<std::string> ReturnPath::table() const {
  return nft_->list(fmt::format("list table {}", kTable));
}

void ReturnPath::suspect() {
  if (timer_ != 0 || !way_ || way_->mark == 0) return;
  timer_ = loop_.after(kSettle, "return path", [this] {
    timer_ = 0;
    look();
  });
}

void ReturnPath::look() {
  if (!way_ || way_->mark == 0) return;
  const auto has_rule = [this](Family family) {
    const auto rules = socket_.rules(family);
    return rules && (rules->empty() ||
                     std::ranges::count(*rules, rule_of(*way_, family)) > 0);
  };
  const Result<std::string> have = table();
  if (have && *have == wanted_ && std::ranges::all_of(kFamilies, has_rule)) {
    return;
  }
  const Result<void> repaired = apply(*way_);
  if (!repaired) {
    log::error("answers by {}: {}", way_->primary, to_string(repaired.error()));
    way_.reset();  // the next set() tries again
    return;
  }
  log::warn("the way back by {} was removed; repaired", way_->primary);
  on_repair_();
}

}  // namespace linsey::agent
