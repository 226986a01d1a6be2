// An attachment's key as one string, for digests that names are made of.
#pragma once

#include <string>

#include "ipam/types.h"

namespace linsey::ipam {

/// The key's parts, each ended by a zero byte but the last: it can stand in
/// none of them, so no two keys run together.
inline std::string joined(const AttachmentKey& key) {
  std::string text = key.network;
  text.push_back('\0');
  text += key.container_id;
  text.push_back('\0');
  text += key.ifname;
  return text;
}

}  // namespace linsey::ipam
