// HeldTable: what the agent holds, in one file beside its socket that any
// process of its owner can look a key up in.
//
// CRI-O runs a CHECK right after each ADD, on the way to a started pod. The
// table answers in a tenth of the time that a round trip to another process
// takes, and answers also while the agent is down. The ledger stays the truth:
// a row is written after its allocation was saved and told, and removed before
// the path is taken down, so one that is whole is true; one that is missing or
// torn tells nothing, and the agent is asked.
//
// The file is kSlots slots of kSlotSize bytes; a key's row stands in one of the
// kProbes slots from its digest on. One slot is written with one call. A file
// for each attachment was simpler, but making and unlinking files costs ext4
// hundreds of microseconds where many come and go.
// Durable: no; the file is in /run and made anew at each start.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "base/result.h"
#include "ipam/types.h"

namespace linsey::rpc {

/// A slot's bytes: SHA-1 of the joined key, SHA-1 of the document, its length
/// (host order), the document (JSON, rpc/message.h). Empty: zeroes.
struct HeldSlot {
  static constexpr std::size_t kSlots = 4096;
  static constexpr std::size_t kSlotSize = 2048;
  static constexpr std::size_t kProbes = 8;

  std::array<std::uint8_t, 20> key{};
  std::array<std::uint8_t, 20> check{};
  std::uint32_t length = 0;

  /// Number of the `probe`-th slot that a key with this digest may stand in.
  std::size_t number(std::size_t probe) const;
};
constexpr std::size_t kLargestHeld = HeldSlot::kSlotSize - sizeof(HeldSlot);

/// "held.table" in the folder of the agent's socket.
std::string held_table_of(const std::string& socket);

/// Of the agent that serves `socket`; nullopt: ask it. Thread: any process.
std::optional<ipam::Held> find_held(const std::string& socket,
                                    const ipam::AttachmentKey& key);

/// The agent's side. Thread: its loop.
class HeldTable {
 public:
  explicit HeldTable(const std::string& socket);

  /// Makes the file (0600) anew with the rows of `held` alone. Errors: kIo;
  /// readers keep the file that was there.
  Result<void> restore(const std::map<ipam::AttachmentKey, ipam::Held>& held);
  /// A row that cannot be written (too long, no free slot, no file) is missing.
  /// Cost: one system call.
  void put(const ipam::Held& held);
  /// One that is missing is success. Errors: kIo.
  Result<void> drop(const ipam::AttachmentKey& key);

 private:
  Result<void> write(const ipam::Held& held);
  std::optional<std::size_t> slot_for(const ipam::AttachmentKey& key,
                                      const HeldSlot& slot) const;

  std::string path_;
  UniqueFd file_;
  std::map<ipam::AttachmentKey, std::size_t> slots_;
  std::set<std::size_t> used_;
};

}  // namespace linsey::rpc
