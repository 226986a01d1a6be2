#include "rpc/held_files.h"

#include "base/file.h"
#include "base/sha1.h"
#include "rpc/message.h"

namespace linsey::rpc {
namespace {

constexpr std::size_t kLargest = 64 << 10;

std::string directory_of(const std::string& socket) {
  const std::size_t slash = socket.rfind('/');
  return slash == std::string::npos ? "held"
                                    : socket.substr(0, slash) + "/held";
}

}  // namespace

HeldFiles::HeldFiles(const std::string& socket)
    : directory_(directory_of(socket)) {}

std::string HeldFiles::path_of(const ipam::AttachmentKey& key) const {
  // A zero byte can stand in none of the parts, so keys cannot run together.
  std::string text = key.network;
  text.push_back('\0');
  text += key.container_id;
  text.push_back('\0');
  text += key.ifname;
  return directory_ + '/' + sha1_hex(text);
}

std::optional<ipam::Held> HeldFiles::find(
    const ipam::AttachmentKey& key) const {
  const Result<std::string> text = read_file(path_of(key), kLargest);
  if (!text) return std::nullopt;
  Result<ipam::Held> held = parse_held(*text);
  if (!held || held->attachment.key != key) return std::nullopt;
  return *std::move(held);
}

}  // namespace linsey::rpc
