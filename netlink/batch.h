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
#include <vector>

#include "netlink/link_spec.h"
#include "netlink/tc.h"
#include "netlink/types.h"

struct nl_msg;

namespace linsey::netlink {

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

  // Trees of classes and the filters that lead into them (netlink/tc.h).

  /// clsact, htb, bfifo, fq_codel. One with the same handle is changed; clsact
  /// is never replaced.
  Batch& put_qdisc(const TcQdisc& qdisc);
  Batch& delete_qdisc(const TcQdisc& qdisc, Missing missing = Missing::kError);
  /// Makes a class or changes its rates.
  Batch& put_class(const HtbClass& cls);
  Batch& delete_class(const HtbClass& cls, Missing missing = Missing::kError);
  /// Adds a filter, or a hash table of filters.
  Batch& add_filter(const U32Filter& filter);
  /// handle 0 deletes all filters of that parent, preference and protocol.
  Batch& delete_filter(const U32Filter& filter,
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
