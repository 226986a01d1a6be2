#include "datapath/shape.h"

#include <algorithm>
#include <cmath>

namespace linsey::datapath {
namespace {

using netlink::Batch;
using netlink::Link;
using netlink::Qdisc;
using netlink::Socket;
using netlink::Tbf;

/// The ifb of the plan; made when it is missing.
Result<int> ensure_ifb(Socket& host, const Plan& plan) {
  const std::string& name = plan.shaping.ifb_name;
  std::optional<Link> ifb = TRY(host.find_link(name));
  if (!ifb) {
    TRY(host.run(Batch()
                     .add_link({.name = name,
                                .kind = "ifb",
                                .mtu = plan.host.mtu,
                                .group = plan.birth_group,
                                .up = true})
                     .read_link(name, ifb)));
  }
  if (!ifb || ifb->kind != "ifb") {
    return make_error(Code::kKernel, "link {} is no ifb", name);
  }
  return ifb->index;
}

bool close_to(std::uint64_t have, std::uint64_t want, std::uint64_t rate) {
  // The kernel keeps the burst as time, in steps of 64 ns.
  const double slack = 2.0 + 0.01 * static_cast<double>(want) +
                       128e-9 * static_cast<double>(rate);
  return std::abs(static_cast<double>(have) - static_cast<double>(want)) <=
         slack;
}

Result<void> compare_tbf(std::vector<std::string>& out, Socket& host,
                         const std::string& name, const Tbf& want) {
  const auto link = TRY(host.find_link(name));
  if (!link) {
    out.push_back(fmt::format("{}: link is missing", name));
    return {};
  }
  const auto qdiscs = TRY(host.qdiscs(link->index));
  const auto it = std::ranges::find(qdiscs, "tbf", &Qdisc::kind);
  if (it == qdiscs.end() || !it->tbf) {
    out.push_back(fmt::format("{}: token bucket is missing", name));
  } else if (it->tbf->rate != want.rate || it->tbf->limit != want.limit ||
             !close_to(it->tbf->burst, want.burst, want.rate)) {
    out.push_back(fmt::format(
        "{}: token bucket has rate {} burst {} limit {}, not {} {} {}", name,
        it->tbf->rate, it->tbf->burst, it->tbf->limit, want.rate, want.burst,
        want.limit));
  }
  return {};
}

Result<void> compare_redirect(std::vector<std::string>& out, Socket& host,
                              const Plan& plan) {
  const auto link = TRY(host.find_link(plan.host.name));
  const auto ifb = TRY(host.find_link(plan.shaping.ifb_name));
  if (!link || !ifb) return {};  // reported already
  if (TRY(host.ingress_redirect(link->index)) != ifb->index) {
    out.push_back(fmt::format("{}: what the pod sends is not led to {}",
                              plan.host.name, ifb->name));
  }
  return {};
}

}  // namespace

Result<void> shape(Socket& host, const Plan& plan, int index) {
  const Shaping& shaping = plan.shaping;
  if (shaping.to_pod) {
    TRY(host.run(Batch().replace_tbf(index, *shaping.to_pod)));
  }
  if (!shaping.from_pod) return {};
  const int ifb = TRY(ensure_ifb(host, plan));
  Batch batch;
  batch.set_link(ifb, {.up = true, .alias = plan.host.alias, .group = 0})
      .replace_tbf(ifb, *shaping.from_pod);
  if (TRY(host.ingress_redirect(index)) != ifb) {
    batch.delete_qdisc(index, true, netlink::Missing::kFine)
        .add_ingress_redirect(index, ifb);
  }
  return host.run(batch);
}

Result<std::vector<std::string>> verify_shaping(Socket& host,
                                                const Plan& plan) {
  std::vector<std::string> out;
  const Shaping& shaping = plan.shaping;
  if (shaping.to_pod) {
    TRY(compare_tbf(out, host, plan.host.name, *shaping.to_pod));
  }
  if (shaping.from_pod) {
    TRY(compare_tbf(out, host, shaping.ifb_name, *shaping.from_pod));
    TRY(compare_redirect(out, host, plan));
  }
  return out;
}

}  // namespace linsey::datapath
