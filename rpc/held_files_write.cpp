// The agent's half of HeldFiles; the plugin does not link it.
#include <fcntl.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"
#include "rpc/held_files.h"
#include "rpc/message.h"

namespace linsey::rpc {
namespace {

Result<void> write_new(const std::string& path, const std::string& text) {
  // In place: half a document does not parse, so its reader asks the agent.
  const UniqueFd fd(
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!fd) return errno_error(errno, path);
  return write_all(fd.get(), text);
}

}  // namespace

Result<void> HeldFiles::restore(
    const std::map<ipam::AttachmentKey, ipam::Held>& held) const {
  std::error_code failed;
  std::filesystem::remove_all(directory_, failed);
  if (failed) return errno_error(failed.value(), "empty " + directory_);
  TRY(make_directories(directory_, 0700));
  for (const auto& [key, row] : held)
    put(row);
  return {};
}

void HeldFiles::put(const ipam::Held& held) const {
  const std::string path = path_of(held.attachment.key);
  const Result<void> written = write_new(path, to_json(held));
  if (written) return;
  log::debug("CHECK will ask for {}: {}", held.attachment.key.container_id,
             to_string(written.error()));
  (void)remove_file(path);
}

Result<void> HeldFiles::drop(const ipam::AttachmentKey& key) const {
  return remove_file(path_of(key));
}

}  // namespace linsey::rpc
