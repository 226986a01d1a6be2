#include "plugin/release_note.h"

#include "base/file.h"
#include "rpc/message.h"

namespace linsey::plugin {

Result<void> leave_note(const std::string& directory,
                        const ipam::AttachmentKey& key, const ipam::Pod& pod) {
  TRY(make_directories(directory, 0700));
  const rpc::ReleaseNote note{
      .key = key, .pod = pod, .boot_id = TRY(boot_id())};
  return context(write_file_atomic(directory + "/" + rpc::note_name(key),
                                   rpc::to_json(note), {.mode = 0600}),
                 "leave a release note for the agent");
}

}  // namespace linsey::plugin
