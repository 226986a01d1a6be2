// BlockSupplier: bgp mode. The node's blocks come from the configuration
// (blocks.assignments); all their addresses are in the ledger from the start,
// so an ADD never waits for anybody.
#pragma once

#include <string>
#include <vector>

#include "agent/supplier.h"
#include "base/ip.h"
#include "base/result.h"
#include "netlink/socket.h"

namespace linsey::agent {

class BlockSupplier final : public Supplier {
 public:
  explicit BlockSupplier(SupplierDeps deps);

  void start() override;
  void need(std::size_t waiting) override;
  void on_released(const IpAddr& address) override;
  void on_assigned(const IpAddr& address) override;
  void config_changed() override;
  Result<ipam::Allocation> complete(
      const std::vector<IpAddr>& addresses) const override;
  Health health() const override;
  std::string describe() const override;
  void stop() override;

 private:
  void feed();
  Error no_block() const;
  Error exhausted() const;

  SupplierDeps deps_;
  std::vector<Cidr> blocks_;
  Result<std::uint32_t> mtu_ = make_error(Code::kAgentStarting, "not started");
};

}  // namespace linsey::agent
