// Batch: requests that go to the kernel in one sendmsg.
//
//   Batch batch;
//   batch.set_link(index, {.up = true}).add_route(route);
//   TRY(socket.run(batch));
//
// Every change of kernel state in Linsey is one of these verbs; Socket has no
// second set of them. The kernel works through a batch in order and goes on
// after a request that failed, so a failed run() may have done the rest: the
// caller undoes. Only the last request asks for an acknowledgement; errors of
// the others are reported all the same and each carries the name of its step.
// libnl's message layer is used and not libnl-route's objects: those lose
// errno, cannot say TBF_RATE64, and cost 0.1 ms an ADD more.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "netlink/types.h"

struct nl_msg;

namespace linsey::netlink {

/// A link by index or by name. In a batch, names reach a link that an earlier
/// request of the same batch made.
struct LinkRef {
  // NOLINTNEXTLINE(google-explicit-constructor): either is a reference.
  LinkRef(int link_index) : index(link_index) {}
  // NOLINTNEXTLINE(google-explicit-constructor): either is a reference.
  LinkRef(std::string link_name) : name(std::move(link_name)) {}
  // NOLINTNEXTLINE(google-explicit-constructor): either is a reference.
  LinkRef(const char* link_name) : name(link_name) {}
  int index = 0;
  std::string name = {};
};

/// The other end of a veth pair.
struct PeerSpec {
  std::string name = {};
  std::optional<Mac> mac = {};
  int netns_fd = -1;  // -1: same namespace
};

/// A link to be made. MACs are set in the request itself: udev gives new links
/// another one otherwise. veth ends get one queue a direction each.
struct LinkSpec {
  std::string name = {};
  std::string kind = {};  // veth, ifb, bridge, macvlan, ...
  std::optional<Mac> mac = {};
  std::uint32_t mtu = 0;  // 0: the kernel's
  std::uint32_t group = 0;
  bool up = false;
  int lower_index = 0;  // macvlan: the link below
  int netns_fd = -1;    // where it is to appear; -1: the socket's namespace
  std::optional<PeerSpec> peer = {};  // veth only; has the same MTU
};

/// What to change; what is not set stays.
struct LinkChange {
  std::optional<bool> up = {};
  std::optional<std::uint32_t> mtu = {};
  std::optional<Mac> mac = {};
  std::optional<std::string> name = {};
  std::optional<std::string> alias = {};
  std::optional<std::uint32_t> group = {};
  std::optional<int> master_index = {};  // 0: none
  std::optional<int> netns_fd = {};
  std::optional<bool> rp_filter_strict = {};  // true 1, false 2 (loose)
  std::optional<bool> ipv4_forwarding = {};   // of this link alone
  std::optional<bool> route_localnet = {};    // 127.0.0.0/8 may pass it
  bool no_auto_link_local = false;            // IPv6 addr_gen_mode none
};

/// What a missing object means to a delete.
enum class Missing : std::uint8_t { kError, kFine };
/// What an object that is there already means to an add.
enum class Existing : std::uint8_t { kError, kFine };

class Batch {
 public:
  Batch();
  ~Batch();
  Batch(Batch&&) noexcept;
  Batch& operator=(Batch&&) noexcept;

  /// EEXIST becomes kInterfaceExists.
  Batch& add_link(const LinkSpec& spec);
  Batch& set_link(const LinkRef& link, const LinkChange& change,
                  Missing missing = Missing::kError);
  Batch& delete_link(const LinkRef& link, Missing missing = Missing::kError);
  /// Deletes all links of a device group with one wait of the kernel.
  Batch& delete_group(std::uint32_t group);
  /// Reads a link behind the requests before it. `out` is set when run()
  /// returns, to nullopt when there is no such link, which is no error.
  Batch& read_link(const LinkRef& link, std::optional<Link>& out);

  /// IPv6 addresses are added without duplicate detection (never tentative).
  Batch& add_address(const Address& address);
  Batch& replace_address(const Address& address);
  Batch& delete_address(const Address& address,
                        Missing missing = Missing::kError);
  Batch& add_route(const Route& route);
  Batch& replace_route(const Route& route);
  Batch& delete_route(const Route& route, Missing missing = Missing::kError);
  Batch& add_rule(const Rule& rule, Existing existing = Existing::kError);
  /// Priority 0, table 0 and protocol 0 match every rule.
  Batch& delete_rule(const Rule& rule, Missing missing = Missing::kError);
  Batch& replace_neighbor(const Neighbor& neighbor);
  Batch& delete_neighbor(const Neighbor& neighbor,
                         Missing missing = Missing::kError);

  /// Token bucket as root of a link; replaces one that is there.
  Batch& replace_tbf(int link_index, const Tbf& tbf);
  /// Ingress qdisc and a match-all filter that redirects to `to_index`.
  Batch& add_ingress_redirect(int link_index, int to_index);
  /// handle of the root (tbf) or of the ingress qdisc.
  Batch& delete_qdisc(int link_index, bool ingress,
                      Missing missing = Missing::kError);

  bool empty() const { return steps_.empty(); }
  std::size_t size() const { return steps_.size(); }

 private:
  friend class Socket;
  struct Free {
    void operator()(nl_msg* message) const;
  };
  struct Step {
    std::unique_ptr<nl_msg, Free> message;
    std::function<std::string()> what;
    std::vector<int> tolerated;  // errno values that count as success
    std::optional<Link>* link_out = nullptr;
  };
  nl_msg* start(int type, int flags, std::function<std::string()> what);
  void tolerate(std::initializer_list<int> errnos);
  void put_new_address(int flags, const Address& address);
  void put_new_route(int flags, const Route& route);

  std::vector<Step> steps_;
};

}  // namespace linsey::netlink
