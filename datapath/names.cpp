// Names and marks: all that tells whose a link is.
#include <charconv>

#include "base/sha1.h"
#include "datapath/plan.h"
#include "ipam/key.h"

namespace linsey::datapath {
namespace {

constexpr std::size_t kFelixDigits = 11;
constexpr std::size_t kOwnDigits = 12;
// An alias has 255 bytes at most; no container id begins with "~".
constexpr std::size_t kLongestId = 200;

std::string key_digest(const ipam::AttachmentKey& key) {
  return sha1_hex(ipam::joined(key));
}

}  // namespace

std::string host_link_name(const ipam::AttachmentKey& key,
                           const ipam::Pod& pod) {
  if (key.ifname != "eth0")
    return "lin" + key_digest(key).substr(0, kOwnDigits);
  if (pod.name.empty()) {
    return "cali" + key.container_id.substr(0, kFelixDigits);
  }
  return "cali" +
         sha1_hex(pod.name_space + "." + pod.name).substr(0, kFelixDigits);
}

std::string ifb_name(const ipam::AttachmentKey& key) {
  return "lfb" + key_digest(key).substr(0, kOwnDigits);
}

std::string alias_of(const ipam::AttachmentKey& key) {
  if (key.container_id.size() > kLongestId) {
    return fmt::format("{}~{}:{}", kAliasPrefix, sha1_hex(key.container_id),
                       key.ifname);
  }
  return fmt::format("{}{}:{}", kAliasPrefix, key.container_id, key.ifname);
}

std::uint32_t birth_group(const ipam::AttachmentKey& key) {
  const std::string digits = key_digest(key).substr(0, 8);
  std::uint32_t number = 0;
  (void)std::from_chars(digits.data(), digits.data() + digits.size(), number,
                        16);
  return kBirthGroups | (number & (kBirthGroups - 1));
}

}  // namespace linsey::datapath
