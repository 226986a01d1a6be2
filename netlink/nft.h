// Nft: nftables by scripts in nft's own language, through libnftables.
//
// A script is one transaction: all of it or nothing. Agent side only; the
// library exists as a shared object alone, so the static plugin never links
// this (target linsey_nft). Rejected: composing NETLINK_NETFILTER messages of
// our own, some two thousand lines for what one library says in ten.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"

struct nft_ctx;

namespace linsey::netlink {

class Nft {
 public:
  /// In the namespace of the calling thread. Errors: kKernelFeatureMissing.
  static Result<Nft> open();

  /// Errors: kPermission; kKernel with what nft says in the details.
  Result<void> run(const std::string& script);
  /// Runs a `list` command and returns what it prints. Errors: as run().
  Result<std::string> list(const std::string& command);

 private:
  struct Free {
    void operator()(nft_ctx* context) const;
  };
  explicit Nft(nft_ctx* context) : context_(context) {}

  std::unique_ptr<nft_ctx, Free> context_;
};

}  // namespace linsey::netlink
