// Socket: one conversation with the kernel about one network namespace.
//
// It belongs to the namespace in which it was opened, for good. Errors keep
// the kernel's errno and the text the kernel gives for it (extended acks):
// "add route 10.1.0.7/32: Nexthop has invalid gateway: Invalid argument".
// Interrupted dumps (NLM_F_DUMP_INTR, ordinary under load) are repeated, five
// times at most. Lists are filtered by the kernel where it can (strict
// checking) and by us in any case.
// Thread: one at a time; give each thread a socket of its own.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "netlink/batch.h"
#include "netlink/netns.h"
#include "netlink/types.h"

struct nl_msg;
struct nlmsghdr;

namespace linsey::netlink {

/// Which routes; 0 and nullopt mean any. Routes that the kernel made for
/// itself (table local, cloned ones) are never listed.
struct RouteFilter {
  std::optional<Family> family = {};
  std::uint32_t table = 0;
  int link_index = 0;
  std::uint8_t protocol = 0;
  std::optional<Cidr> dst = {};
};

class Socket {
 public:
  /// In the namespace of the calling thread. Errors: kKernel.
  static Result<Socket> open();
  /// In another one. The calling thread enters it for this one call and ends
  /// the program if it cannot return; run()'s thread would cost a time slice
  /// on a busy node, in every ADD. Errors: kInvalidNetns, kKernel.
  static Result<Socket> open_in(const NetNs& ns);

  /// Sends all requests of `batch` and waits for their end. Errors: that of
  /// the first request that failed, with its step in `msg` and the others in
  /// `details`: kInterfaceExists (a link of that name exists), kPermission,
  /// else kKernel. The batch is used up.
  Result<void> run(Batch& batch);
  Result<void> run(Batch&& batch) { return run(batch); }

  /// nullopt: no such link. Errors: kKernel.
  Result<std::optional<Link>> find_link(const LinkRef& link);
  Result<std::vector<Link>> links();
  /// 0: of all links; nullopt: of both families.
  Result<std::vector<Address>> addresses(
      int link_index = 0, std::optional<Family> family = std::nullopt);
  Result<std::vector<Route>> routes(const RouteFilter& filter = {});
  Result<std::vector<Rule>> rules(Family family);
  /// Permanent entries only, as we make no others. 0: of all links.
  Result<std::vector<Neighbor>> neighbors(
      int link_index = 0, std::optional<Family> family = std::nullopt);
  Result<std::vector<Qdisc>> qdiscs(int link_index);
  /// Index of the link to which the ingress filter of a link redirects.
  Result<std::optional<int>> ingress_redirect(int link_index);

  /// With their counters.
  Result<std::vector<TcQdisc>> tc_qdiscs(int link_index);
  Result<std::vector<HtbClass>> htb_classes(int link_index);
  /// Filters of all kinds under one parent (kClsactIngress, a root's handle);
  /// of others than u32 only what they have in common is told.
  Result<std::vector<U32Filter>> filters(int link_index, std::uint32_t parent);

  int fd() const { return fd_.get(); }

 private:
  explicit Socket(UniqueFd fd);
  using OnMessage = std::function<void(const nlmsghdr*)>;
  struct Collected;
  Result<void> send(Batch& batch);
  Result<void> collect(Batch& batch, Collected& collected);
  Result<std::size_t> receive(const std::string& what);
  /// Runs a dump to its end; `on_start` is called before each try.
  Result<void> dump(nl_msg* request, const std::string& what,
                    const std::function<void()>& on_start,
                    const OnMessage& on_message);
  template <typename T, typename Parse>
  Result<std::vector<T>> list(nl_msg* request, const std::string& what,
                              Parse parse);

  UniqueFd fd_;
  std::uint32_t sequence_ = 1;
  std::unique_ptr<char[]> buffer_;  // kBufferSize bytes, not initialised:
                                    // a page costs only once it is used
};

}  // namespace linsey::netlink
