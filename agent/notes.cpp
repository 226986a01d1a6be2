#include "agent/notes.h"

#include <dirent.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <utility>
#include <vector>

#include "base/crash_point.h"
#include "base/file.h"
#include "base/log.h"
#include "rpc/message.h"

namespace linsey::agent {
namespace {

constexpr std::string_view kSuffix = ".note";
constexpr Duration kAgain = std::chrono::seconds(30);

std::vector<std::string> notes_in(const std::string& directory) {
  std::vector<std::string> names;
  const std::unique_ptr<DIR, int (*)(DIR*)> open(opendir(directory.c_str()),
                                                 closedir);
  if (!open) return names;
  while (const dirent* entry = readdir(open.get())) {
    const std::string name(entry->d_name);
    if (name.ends_with(kSuffix) && !name.starts_with('.')) {
      names.push_back(name);
    }
  }
  return names;
}

}  // namespace

Notes::Notes(NotesDeps deps) : deps_(std::move(deps)) {
  deps_.metrics.describe_counter("linsey_release_notes_total",
                                 "Release notes of the plugin by outcome.");
}

Notes::~Notes() {
  deps_.loop.cancel(timer_);
  if (inotify_) deps_.loop.unwatch(inotify_.get());
}

std::string Notes::path(const std::string& name) const {
  return deps_.directory + "/" + name;
}

void Notes::start() {
  const Result<void> watched = watch();
  if (!watched) {
    log::warn("release notes are looked for every {} s: {}",
              std::chrono::duration_cast<std::chrono::seconds>(kAgain).count(),
              to_string(watched.error()));
  }
  read_all();
}

Result<void> Notes::watch() {
  TRY(make_directories(deps_.directory, 0700));
  inotify_ = UniqueFd(inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (!inotify_) return errno_error(errno, "inotify");
  if (inotify_add_watch(inotify_.get(), deps_.directory.c_str(),
                        IN_CLOSE_WRITE | IN_MOVED_TO | IN_ONLYDIR) < 0) {
    return errno_error(errno, "watch " + deps_.directory);
  }
  deps_.loop.watch(
      inotify_.get(), EPOLLIN, "release notes", [this](std::uint32_t) {
        std::array<char, 4096> events{};
        while (::read(inotify_.get(), events.data(), events.size()) > 0) {
        }
        read_all();
      });
  return {};
}

void Notes::read_all() {
  for (const std::string& name : notes_in(deps_.directory)) {
    if (!under_way_.contains(name)) read_one(name);
  }
  deps_.loop.cancel(timer_);
  timer_ = deps_.loop.after(kAgain, "release notes", [this] { read_all(); });
}

void Notes::read_one(const std::string& name) {
  const Result<std::string> text = read_file(path(name), 65536);
  if (!text) {
    log::warn("release note: {}", to_string(text.error()));
    return;
  }
  const Result<rpc::ReleaseNote> note = rpc::parse_note(*text);
  if (!note) {
    set_aside(name, note.error());
    return;
  }
  under_way_.insert(name);
  if (note->boot_id != deps_.boot_id) {
    // The reboot ended the sandbox; rows of that boot are freed by themselves.
    done(name, {});
    return;
  }
  log::info("release note for {}/{}/{}", note->key.network,
            note->key.container_id, note->key.ifname);
  deps_.free(note->key, note->pod,
             [this, name](const Result<void>& freed) { done(name, freed); });
}

void Notes::done(const std::string& name, const Result<void>& freed) {
  under_way_.erase(name);
  deps_.metrics.count("linsey_release_notes_total",
                      {{"result", freed ? "done" : "failed"}});
  if (!freed) return;  // the file stays and is read again
  CRASH_POINT("note.freed");
  const Result<void> removed = remove_file(path(name));
  if (!removed) log::warn("release note: {}", to_string(removed.error()));
}

void Notes::set_aside(const std::string& name, const Error& why) {
  deps_.metrics.count("linsey_release_notes_total", {{"result", "unreadable"}});
  log::error("release note {} cannot be read and is set aside as {}.bad: {}",
             path(name), name, to_string(why));
  const std::string aside = path(name) + ".bad";
  if (std::rename(path(name).c_str(), aside.c_str()) != 0) {
    log::warn("{}", errno_error(errno, "rename " + path(name)).msg);
  }
}

}  // namespace linsey::agent
