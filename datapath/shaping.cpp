#include <algorithm>
#include <limits>

#include "datapath/plan.h"

namespace linsey::datapath {
namespace {

constexpr std::uint64_t kMaxBurst = std::uint64_t{256} << 20;
constexpr std::uint64_t kDefaultBurst = std::uint64_t{16} << 10;
constexpr std::uint64_t kRefusedBurst = 0xffffffff;  // bytes
constexpr std::uint64_t kEthernetHeader = 18;        // with a VLAN tag

std::uint32_t saturated(std::uint64_t value) {
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(
      value, std::numeric_limits<std::uint32_t>::max()));
}

std::uint64_t clamp_burst(std::uint64_t burst, std::uint64_t rate,
                          std::uint32_t mtu) {
  const std::uint64_t packet = mtu + kEthernetHeader;
  return std::max(packet, std::min({burst, rate, kMaxBurst}));
}

}  // namespace

Result<std::optional<netlink::Tbf>> make_tbf(std::uint64_t rate_bits,
                                             std::uint64_t burst_bits,
                                             std::uint32_t mtu) {
  const std::uint64_t rate = rate_bits / 8;
  if (rate_bits == 0 && burst_bits == 0) return std::optional<netlink::Tbf>();
  if (rate == 0) {
    return make_error(Code::kInvalidNetworkConfig,
                      "bandwidth: rate of {} bit/s with a burst of {} bits; "
                      "give a rate of 8 bit/s or more, or no burst",
                      rate_bits, burst_bits);
  }
  if (burst_bits / 8 >= kRefusedBurst) {
    return make_error(Code::kInvalidNetworkConfig,
                      "bandwidth: burst of {} bits is too large; give less "
                      "than {} bits",
                      burst_bits, kRefusedBurst * 8);
  }
  const std::uint64_t burst = burst_bits == 0
                                  ? std::max(rate / 50, kDefaultBurst)
                                  : clamp_burst(burst_bits / 8, rate, mtu);
  const std::uint64_t bucket =
      std::clamp<std::uint64_t>(burst, mtu + kEthernetHeader, kMaxBurst);
  // What waits for tokens may wait 25 ms.
  return std::optional(netlink::Tbf{.rate = rate,
                                    .burst = saturated(bucket),
                                    .limit = saturated(bucket + rate / 40)});
}

}  // namespace linsey::datapath
