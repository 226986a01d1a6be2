// The agent's half of the held table; the plugin does not link it.
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "base/file.h"
#include "base/log.h"
#include "base/sha1.h"
#include "ipam/key.h"
#include "rpc/held_table.h"
#include "rpc/message.h"

namespace linsey::rpc {
namespace {

HeldSlot slot_of(const ipam::AttachmentKey& key) {
  return {.key = sha1(ipam::joined(key))};
}

Result<void> write_slot(const UniqueFd& file, std::size_t number,
                        std::string_view bytes) {
  const auto place = static_cast<off_t>(number * HeldSlot::kSlotSize);
  const ssize_t size = ::pwrite(file.get(), bytes.data(), bytes.size(), place);
  if (size == static_cast<ssize_t>(bytes.size())) return {};
  return errno_error(size < 0 ? errno : ENOSPC, "write the held table");
}

Result<void> clear_slot(const UniqueFd& file, std::size_t number) {
  static constexpr std::array<char, sizeof(HeldSlot)> kEmpty{};
  return write_slot(file, number, {kEmpty.data(), kEmpty.size()});
}

}  // namespace

HeldTable::HeldTable(const std::string& socket)
    : path_(held_table_of(socket)) {}

Result<void> HeldTable::restore(
    const std::map<ipam::AttachmentKey, ipam::Held>& held) {
  slots_.clear();
  used_.clear();
  file_.reset();
  TRY(make_directories(path_.substr(0, path_.rfind('/')), 0700));
  const std::string fresh = path_ + ".new";
  TRY(remove_file(fresh));
  UniqueFd file(
      ::open(fresh.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file) return errno_error(errno, fresh);
  constexpr off_t kSize = HeldSlot::kSlots * HeldSlot::kSlotSize;
  if (::ftruncate(file.get(), kSize) != 0) return errno_error(errno, fresh);
  file_ = std::move(file);
  for (const auto& [key, row] : held) {
    put(row);
  }
  if (std::rename(fresh.c_str(), path_.c_str()) == 0) return {};
  return errno_error(errno, "rename " + fresh);
}

std::optional<std::size_t> HeldTable::slot_for(const ipam::AttachmentKey& key,
                                               const HeldSlot& slot) const {
  const auto known = slots_.find(key);
  if (known != slots_.end()) return known->second;
  for (std::size_t probe = 0; probe < HeldSlot::kProbes; ++probe) {
    const std::size_t number = slot.number(probe);
    if (!used_.contains(number)) return number;
  }
  return std::nullopt;
}

Result<void> HeldTable::write(const ipam::Held& held) {
  const ipam::AttachmentKey& key = held.attachment.key;
  const std::string document = to_json(held);
  if (document.size() > kLargestHeld) {
    return make_error(Code::kIo, "the row has {} bytes; {} fit",
                      document.size(), kLargestHeld);
  }
  HeldSlot slot = slot_of(key);
  const std::optional<std::size_t> number = slot_for(key, slot);
  if (!number) return make_error(Code::kIo, "no slot is free for it");
  slot.check = sha1(document);
  slot.length = static_cast<std::uint32_t>(document.size());
  std::string bytes(sizeof slot, '\0');
  std::memcpy(bytes.data(), &slot, sizeof slot);
  slots_[key] = *number;
  used_.insert(*number);
  return write_slot(file_, *number, bytes + document);
}

void HeldTable::put(const ipam::Held& held) {
  if (!file_) return;
  const Result<void> written = write(held);
  if (written) return;
  const ipam::AttachmentKey& key = held.attachment.key;
  log::debug("CHECK will ask for {}: {}", key.container_id,
             to_string(written.error()));
  (void)drop(key);  // an older row would be a lie
}

Result<void> HeldTable::drop(const ipam::AttachmentKey& key) {
  const auto known = slots_.find(key);
  if (known == slots_.end()) return {};
  TRY(clear_slot(file_, known->second));
  used_.erase(known->second);
  slots_.erase(known);
  return {};
}

}  // namespace linsey::rpc
