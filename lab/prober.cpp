#include "lab/prober.h"

#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <map>
#include <utility>

#include "lab/in_namespace.h"
#include "lab/socket_address.h"

namespace linsey::lab {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kPingEvery{250};

microseconds since(steady_clock::time_point start) {
  return std::chrono::duration_cast<microseconds>(steady_clock::now() - start);
}

/// The echo request of probe `number`; both families have the same layout.
/// The kernel fills in ICMPv6's checksum, not ICMP's.
std::array<std::uint8_t, 8> echo_request(Family family, std::size_t number) {
  std::array<std::uint8_t, 8> out{};
  out[0] = family == Family::kV4 ? ICMP_ECHO : ICMP6_ECHO_REQUEST;
  for (int i = 0; i < 4; ++i) {
    out[4 + static_cast<std::size_t>(i)] =
        static_cast<std::uint8_t>(number >> (24 - 8 * i));
  }
  if (family == Family::kV6) return out;
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < out.size(); i += 2) {
    sum += static_cast<std::uint32_t>(out[i] << 8 | out[i + 1]);
  }
  sum = (sum & 0xffffU) + (sum >> 16);
  sum = ~(sum + (sum >> 16)) & 0xffffU;
  out[2] = static_cast<std::uint8_t>(sum >> 8);
  out[3] = static_cast<std::uint8_t>(sum);
  return out;
}

/// The probe's number out of a received echo reply, -1 if it is none.
long echo_number(Family family, const std::uint8_t* data, std::size_t size) {
  std::size_t at = 0;
  if (family == Family::kV4) {
    if (size < 20) return -1;
    at = static_cast<std::size_t>(data[0] & 0x0f) * 4;  // the IP header
  }
  const int reply = family == Family::kV4 ? ICMP_ECHOREPLY : ICMP6_ECHO_REPLY;
  if (size < at + 8 || data[at] != reply) return -1;
  return static_cast<long>(data[at + 4]) << 24 | data[at + 5] << 16 |
         data[at + 6] << 8 | data[at + 7];
}

struct Pinger {
  Family family = Family::kV4;
  UniqueFd fd;
};

struct Task {
  Probe probe;
  int pinger = 0;
  UniqueFd tcp;
  std::string greeting;
  steady_clock::time_point started;
  bool tcp_over = false;
};

class Sweep {
 public:
  Sweep(const std::vector<Endpoint>& endpoints, SweepOptions options)
      : endpoints_(endpoints), options_(options) {}

  Result<std::vector<Probe>> run();

 private:
  struct Listener {
    UniqueFd fd;
    std::string name;
  };

  Result<void> open_listeners(const Endpoint& endpoint);
  Result<void> open_sender(const Endpoint& from);
  Result<void> open_task(const Endpoint& from, const Endpoint& to,
                         const IpAddr& address);
  void run_round(std::vector<Probe>& out);
  void ping_all();
  void turn(milliseconds limit);
  static void greet(Listener& listener);
  void receive_pings(Pinger& pinger);
  void receive_greeting(Task& task);
  bool done() const;

  const std::vector<Endpoint>& endpoints_;
  SweepOptions options_;
  std::vector<Listener> listeners_;
  std::vector<Pinger> pingers_;
  std::map<std::pair<std::string, Family>, int> pinger_index_;
  std::vector<Task> tasks_;  // of this round
  std::size_t earlier_ =
      0;  // tasks of earlier rounds, whose answers may linger
};

Result<void> Sweep::open_listeners(const Endpoint& endpoint) {
  for (const IpAddr& address : endpoint.addresses) {
    listeners_.push_back(
        {TRY(listen_inside(endpoint.ns, address, options_.port)),
         endpoint.name});
  }
  return {};
}

Result<void> Sweep::open_task(const Endpoint& from, const Endpoint& to,
                              const IpAddr& address) {
  Task task;
  task.probe.from = from.name;
  task.probe.to = to.name;
  task.probe.address = address;
  task.pinger = pinger_index_.at({from.name, address.family()});
  task.tcp = UniqueFd(socket(address.is_v4() ? AF_INET : AF_INET6,
                             SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!task.tcp) return errno_error(errno, "create a socket", Code::kKernel);
  const SocketAddress where = socket_address(address, options_.port);
  task.started = steady_clock::now();
  if (connect(task.tcp.get(), where.get(), where.length) != 0 &&
      errno != EINPROGRESS) {
    task.probe.error = std::strerror(errno);
    task.tcp_over = true;
  }
  tasks_.push_back(std::move(task));
  return {};
}

Result<void> Sweep::open_sender(const Endpoint& from) {
  return from.ns.run([&]() -> Result<void> {
    for (const Family family : kFamilies) {
      const bool v4 = family == Family::kV4;
      UniqueFd fd(socket(v4 ? AF_INET : AF_INET6,
                         SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC,
                         v4 ? static_cast<int>(IPPROTO_ICMP)
                            : static_cast<int>(IPPROTO_ICMPV6)));
      if (!fd) return errno_error(errno, "open an ICMP socket", Code::kKernel);
      pinger_index_[{from.name, family}] = static_cast<int>(pingers_.size());
      pingers_.push_back({family, std::move(fd)});
    }
    for (const Endpoint& to : endpoints_) {
      if (&to == &from) continue;
      for (const IpAddr& address : to.addresses) {
        TRY(open_task(from, to, address));
      }
    }
    return {};
  });
}

void Sweep::ping_all() {
  for (std::size_t i = 0; i < tasks_.size(); ++i) {
    const Probe& probe = tasks_[i].probe;
    if (probe.icmp) continue;
    const auto packet = echo_request(probe.address.family(), earlier_ + i);
    const SocketAddress where = socket_address(probe.address, 0);
    const auto& pinger = pingers_[static_cast<std::size_t>(tasks_[i].pinger)];
    // A refused packet is a failed ping; the next round tries again.
    (void)sendto(pinger.fd.get(), packet.data(), packet.size(), 0, where.get(),
                 where.length);
  }
}

void Sweep::greet(Listener& listener) {
  while (true) {
    const UniqueFd peer(
        accept4(listener.fd.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!peer) return;
    // A name fits into any socket buffer; the close tells where it ends.
    (void)send(peer.get(), listener.name.data(), listener.name.size(),
               MSG_NOSIGNAL);
  }
}

void Sweep::receive_pings(Pinger& pinger) {
  std::array<std::uint8_t, 2048> buffer{};
  while (true) {
    const ssize_t n = recv(pinger.fd.get(), buffer.data(), buffer.size(), 0);
    if (n < 0) return;
    const long number =
        echo_number(pinger.family, buffer.data(), static_cast<std::size_t>(n)) -
        static_cast<long>(earlier_);
    if (number < 0 || static_cast<std::size_t>(number) >= tasks_.size()) {
      continue;
    }
    Task& task = tasks_[static_cast<std::size_t>(number)];
    if (task.probe.icmp) continue;
    task.probe.icmp = true;
    task.probe.icmp_time = since(task.started);
  }
}

void Sweep::receive_greeting(Task& task) {
  std::array<char, 256> buffer{};
  const ssize_t n = recv(task.tcp.get(), buffer.data(), buffer.size(), 0);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (n > 0) {
    task.greeting.append(buffer.data(), static_cast<std::size_t>(n));
    return;
  }
  if (n < 0) task.probe.error = std::strerror(errno);
  task.tcp_over = true;
  task.tcp.reset();
  if (n < 0) return;
  task.probe.tcp = task.greeting == task.probe.to;
  task.probe.tcp_time = since(task.started);
  if (!task.probe.tcp) task.probe.error = "answered by " + task.greeting;
}

void Sweep::turn(milliseconds limit) {
  std::vector<pollfd> polls;
  for (const Listener& listener : listeners_) {
    polls.push_back({listener.fd.get(), POLLIN, 0});
  }
  for (const Pinger& pinger : pingers_) {
    polls.push_back({pinger.fd.get(), POLLIN, 0});
  }
  for (const Task& task : tasks_) {
    polls.push_back({task.tcp_over ? -1 : task.tcp.get(), POLLIN, 0});
  }
  if (poll(polls.data(), polls.size(), static_cast<int>(limit.count())) <= 0) {
    return;
  }
  std::size_t at = 0;
  for (Listener& listener : listeners_) {
    if (polls[at++].revents != 0) greet(listener);
  }
  for (Pinger& pinger : pingers_) {
    if (polls[at++].revents != 0) receive_pings(pinger);
  }
  for (Task& task : tasks_) {
    if (polls[at++].revents != 0) receive_greeting(task);
  }
}

bool Sweep::done() const {
  for (const Task& task : tasks_) {
    if (!task.probe.icmp || !task.tcp_over) return false;
  }
  return true;
}

Result<std::vector<Probe>> Sweep::run() {
  for (const Endpoint& endpoint : endpoints_) {
    TRY(context(open_listeners(endpoint), "listen in {}", endpoint.name));
  }
  std::vector<Probe> out;
  for (const Endpoint& endpoint : endpoints_) {
    TRY(context(open_sender(endpoint), "probe from {}", endpoint.name));
    if (tasks_.size() >= options_.at_once) run_round(out);
  }
  run_round(out);
  return out;
}

void Sweep::run_round(std::vector<Probe>& out) {
  const auto end = steady_clock::now() + options_.limit;
  auto next_ping = steady_clock::now();
  while (!done() && steady_clock::now() < end) {
    if (steady_clock::now() >= next_ping) {
      ping_all();
      next_ping = steady_clock::now() + kPingEvery;
    }
    turn(milliseconds(20));
  }
  earlier_ += tasks_.size();
  for (Task& task : tasks_) {
    if (!task.tcp_over) task.probe.error = "no answer in time";
    out.push_back(std::move(task.probe));
  }
  tasks_.clear();
}

}  // namespace

Result<std::vector<Probe>> sweep(const std::vector<Endpoint>& endpoints,
                                 const SweepOptions& options) {
  return Sweep(endpoints, options).run();
}

}  // namespace linsey::lab
