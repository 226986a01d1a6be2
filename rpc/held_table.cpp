#include "rpc/held_table.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstring>

#include "base/sha1.h"
#include "ipam/key.h"
#include "rpc/message.h"

namespace linsey::rpc {
namespace {

/// The row's document, when one for `wanted` stands whole in this slot.
std::optional<std::string_view> document_in(std::string_view slot,
                                            const HeldSlot& wanted) {
  HeldSlot head;
  if (slot.size() < sizeof head) return std::nullopt;
  std::memcpy(&head, slot.data(), sizeof head);
  if (head.length == 0 || head.key != wanted.key) return std::nullopt;
  slot.remove_prefix(sizeof head);
  if (head.length > slot.size()) return std::nullopt;
  const std::string_view document = slot.substr(0, head.length);
  if (sha1(document) != head.check) return std::nullopt;  // torn
  return document;
}

}  // namespace

std::size_t HeldSlot::number(std::size_t probe) const {
  return ((std::size_t{key[0]} << 8U | key[1]) + probe) % kSlots;
}

std::string held_table_of(const std::string& socket) {
  const std::size_t slash = socket.rfind('/');
  const std::string folder =
      slash == std::string::npos ? "" : socket.substr(0, slash + 1);
  return folder + "held.table";
}

std::optional<ipam::Held> find_held(const std::string& socket,
                                    const ipam::AttachmentKey& key) {
  const UniqueFd file(
      ::open(held_table_of(socket).c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return std::nullopt;
  const HeldSlot wanted{.key = sha1(ipam::joined(key))};
  std::array<char, HeldSlot::kSlotSize> slot;
  for (std::size_t probe = 0; probe < HeldSlot::kProbes; ++probe) {
    const auto place = wanted.number(probe) * HeldSlot::kSlotSize;
    const ssize_t size = ::pread(file.get(), slot.data(), slot.size(),
                                 static_cast<off_t>(place));
    if (size < 0) return std::nullopt;
    const auto document =
        document_in({slot.data(), static_cast<std::size_t>(size)}, wanted);
    if (!document) continue;
    Result<ipam::Held> held = parse_held(std::string(*document));
    if (!held || held->attachment.key != key) return std::nullopt;
    return *std::move(held);
  }
  return std::nullopt;
}

}  // namespace linsey::rpc
