#include "agent/host_links.h"

#include <sys/epoll.h>

#include <utility>

#include "base/crash_point.h"
#include "base/log.h"
#include "datapath/plan.h"

namespace linsey::agent {
namespace {

constexpr Duration kDeadline = std::chrono::seconds(5);
constexpr Duration kGather = std::chrono::milliseconds(20);

}  // namespace

Result<std::unique_ptr<HostLinks>> HostLinks::start(Loop& loop) {
  netlink::Socket socket = TRY(netlink::Socket::open());
  netlink::LinkReaper reaper = TRY(netlink::LinkReaper::start());
  std::unique_ptr<HostLinks> links(
      new HostLinks(loop, std::move(socket), std::move(reaper)));
  HostLinks* self = links.get();
  links->monitor_ =
      std::make_unique<netlink::Monitor>(TRY(netlink::Monitor::open(
          {netlink::Topic::kLinks, netlink::Topic::kRules},
          [self](const netlink::Event& event) { self->on_event(event); })));
  loop.watch(links->monitor_->fd(), EPOLLIN, "link events",
             [self](std::uint32_t) { self->on_readable(); });
  return links;
}

HostLinks::HostLinks(Loop& loop, netlink::Socket socket,
                     netlink::LinkReaper reaper)
    : loop_(loop), socket_(std::move(socket)), reaper_(std::move(reaper)) {}

HostLinks::~HostLinks() {
  *alive_ = false;
  if (monitor_) loop_.unwatch(monitor_->fd());
  loop_.cancel(gathering_);
  for (const auto& [index, dying] : dying_) {
    loop_.cancel(dying.deadline);
  }
}

void HostLinks::set_on_event(netlink::Monitor::Callback callback) {
  callback_ = std::move(callback);
}

Result<datapath::TakenDown> HostLinks::make_sure(const Teardown& teardown) {
  if (teardown.link_index != 0) {
    // The usual DEL: the plugin did the first half; one question proves it.
    const std::optional<netlink::Link> link =
        TRY(socket_.find_link(teardown.link_index));
    if (link && link->alias == datapath::alias_of(teardown.key) &&
        link->group == netlink::kDyingGroup && !link->up) {
      return datapath::TakenDown{link->index, link->name, {}};
    }
  }
  datapath::TakenDown taken =
      TRY(datapath::take_down(teardown.key, teardown.pod));
  if (taken.link_index == 0) {
    for (const IpAddr& address : teardown.addresses) {
      TRY(datapath::remove_rules(address));
    }
    // A pod's namespace that went away took the pair along, but not the ifb
    // that shaped it; that one dies on the host's side.
    const std::optional<netlink::Link> ifb =
        TRY(socket_.find_link(datapath::ifb_name(teardown.key)));
    if (ifb && ifb->group == netlink::kDyingGroup) {
      taken.link_index = ifb->index;
    }
  }
  return taken;
}

void HostLinks::take_down(const Teardown& teardown, TeardownDone done) {
  const Result<datapath::TakenDown> taken = make_sure(teardown);
  if (!taken) {
    done(taken.error());
    return;
  }
  CRASH_POINT("release.down");
  wait_for(*taken, std::move(done));
}

void HostLinks::take_down(const datapath::OurLink& link, TeardownDone done) {
  const Result<datapath::TakenDown> taken = datapath::take_down(link);
  if (!taken) {
    done(taken.error());
    return;
  }
  wait_for(*taken, std::move(done));
}

void HostLinks::wait_for(const datapath::TakenDown& taken, TeardownDone done) {
  if (taken.link_index == 0) {
    done(taken.addresses);
    return;
  }
  listen_again();
  const int index = taken.link_index;
  Dying& dying = dying_[index];
  dying.seen.insert(dying.seen.end(), taken.addresses.begin(),
                    taken.addresses.end());
  dying.done.push_back(std::move(done));
  if (dying.deadline == 0) {
    dying.deadline = loop_.after(kDeadline, "link deletion", [this, index] {
      look_again(index, make_error(Code::kTimeout,
                                   "link {} is still there {} s after its "
                                   "deletion was asked for",
                                   index, kDeadline.count() / 1000000000));
    });
  }
  if (reap_posted_) return;
  // After the other requests of this turn, so that they share one delete.
  reap_posted_ = true;
  loop_.post("reap links", [this, alive = alive_] {
    if (*alive) reap();
  });
}

void HostLinks::reap() {
  reap_posted_ = false;
  reaper_.reap_group(
      netlink::kDyingGroup,
      [this, &loop = loop_, alive = alive_](const Result<void>& deleted) {
        if (deleted) return;  // the monitor has told already
        loop.post("reaper refused", [this, alive, error = deleted.error()] {
          if (*alive) fail_all(error);
        });
      });
}

void HostLinks::on_readable() {
  if (dying_.empty()) {
    leave_events_alone();
  } else {
    read_events();
  }
}

void HostLinks::leave_events_alone() {
  if (!dying_.empty() || gathering_ != 0) return;
  loop_.modify(monitor_->fd(), 0);
  gathering_ = loop_.after(kGather, "link events", [this] {
    listen_again();
    read_events();
  });
}

void HostLinks::listen_again() {
  if (gathering_ == 0) return;
  loop_.cancel(std::exchange(gathering_, 0));
  loop_.modify(monitor_->fd(), EPOLLIN);
}

void HostLinks::read_events() {
  const Result<void> drained = monitor_->drain();
  if (!drained) log::warn("link events: {}", to_string(drained.error()));
}

void HostLinks::on_event(const netlink::Event& event) {
  if (const auto* link = std::get_if<netlink::Link>(&event.what)) {
    if (event.removed) gone(link->index);
  } else if (std::holds_alternative<netlink::Resync>(event.what)) {
    look_at_all();
  }
  if (callback_) callback_(event);
}

void HostLinks::look_at_all() {
  std::vector<int> indices;
  for (const auto& [index, dying] : dying_) {
    indices.push_back(index);
  }
  for (const int index : indices) {
    if (is_gone(index)) gone(index);
  }
}

bool HostLinks::is_gone(int link_index) {
  const Result<std::optional<netlink::Link>> link =
      socket_.find_link(link_index);
  return link && !link->has_value();
}

void HostLinks::gone(int link_index) {
  auto node = dying_.extract(link_index);
  if (node.empty()) return;
  loop_.cancel(node.mapped().deadline);
  for (const TeardownDone& done : node.mapped().done) {
    done(node.mapped().seen);
  }
}

void HostLinks::look_again(int link_index, const Error& why) {
  if (is_gone(link_index)) {
    gone(link_index);
    return;
  }
  auto node = dying_.extract(link_index);
  if (node.empty()) return;
  loop_.cancel(node.mapped().deadline);
  for (const TeardownDone& done : node.mapped().done) {
    done(why);
  }
}

void HostLinks::fail_all(const Error& error) {
  std::vector<int> indices;
  for (const auto& [index, dying] : dying_) {
    indices.push_back(index);
  }
  for (const int index : indices) {
    look_again(index, error);
  }
}

}  // namespace linsey::agent
