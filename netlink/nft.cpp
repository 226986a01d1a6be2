#include "netlink/nft.h"

#include <cerrno>

#include <nftables/libnftables.h>

namespace linsey::netlink {

void Nft::Free::operator()(nft_ctx* context) const {
  nft_ctx_free(context);
}

Result<Nft> Nft::open() {
  Nft nft(nft_ctx_new(NFT_CTX_DEFAULT));
  if (!nft.context_ || nft_ctx_buffer_error(nft.context_.get()) != 0 ||
      nft_ctx_buffer_output(nft.context_.get()) != 0) {
    return make_error(Code::kKernelFeatureMissing, "nftables cannot be used");
  }
  return nft;
}

Result<void> Nft::run(const std::string& script) {
  TRY(list(script));
  return {};
}

Result<std::string> Nft::list(const std::string& command) {
  errno = 0;
  const int status = nft_run_cmd_from_buffer(context_.get(), command.c_str());
  const int number = errno;
  // Both buffers are emptied by being read.
  const std::string said = nft_ctx_get_error_buffer(context_.get());
  std::string out = nft_ctx_get_output_buffer(context_.get());
  if (status == 0) return out;
  const std::string first = said.substr(0, said.find('\n'));
  Error error = make_error(
      number == EPERM ? Code::kPermission : Code::kKernel, "nftables: {}",
      first.empty() ? "the kernel refused the rules" : first);
  error.details = said;
  return error;
}

}  // namespace linsey::netlink
