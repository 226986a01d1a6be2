// The files' side of uninstall.
#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <memory>

#include "base/file.h"
#include "install/conflists.h"
#include "install/drop_ins.h"
#include "install/probe.h"
#include "install/record.h"
#include "install/uninstall.h"

namespace linsey::install {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kLargest = std::size_t{256} << 20;

Trace file_trace(const Host& host, const std::string& path) {
  return {path, [file = host.at(path)] { return remove_file(file); }};
}

/// Our plugin goes; what it replaced comes back.
Trace plugin_trace(const Host& host, const std::string& path,
                   const Record& record) {
  const auto placed = record.files.find(path);
  const std::string copy =
      placed == record.files.end() ? "" : placed->second.copy_before;
  if (copy.empty() || !path_exists(host.at(copy))) {
    return file_trace(host, path);
  }
  const auto mode = static_cast<mode_t>(placed->second.mode_before);
  return {path + " (what it replaced comes back)",
          [file = host.at(path), kept = host.at(copy), mode]() -> Result<void> {
            const std::string content = TRY(read_file(kept, kLargest));
            return write_file_atomic(file, content, {.mode = mode});
          }};
}

Place look_at_plugins(const Host& host, const Record& record) {
  Place place{.what = "plugins", .where = host.bin_dir};
  for (const char* name : {"linsey", "loopback"}) {
    const std::string path = host.bin_dir + "/" + name;
    const Probe probe = probe_plugin(host.at(path));
    if (probe.ours) {
      place.found.push_back(plugin_trace(host, path, record));
    } else if (probe.exists) {
      place.kept.push_back(
          fmt::format("{} is not ours ({})", path, probe.about));
    }
  }
  return place;
}

Result<std::vector<std::string>> names_in(const std::string& dir) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator at(dir, error), end; !error && at != end;
       at.increment(error)) {
    names.push_back(at->path().filename().string());
  }
  if (error && error.value() != ENOENT) {
    return errno_error(error.value(), fmt::format("list {}", dir));
  }
  std::ranges::sort(names);
  return names;
}

/// What a kill in the middle of a write leaves: ".NAME.tmp.PID".
Place look_at_temporaries(const Host& host) {
  Place place{.what = "leavings",
              .where = fmt::format("temporary files in {}, {}", host.bin_dir,
                                   host.conf_dir)};
  for (const auto& [dir, of] :
       {std::pair(host.bin_dir, std::string(".linsey.tmp.")),
        std::pair(host.bin_dir, std::string(".loopback.tmp.")),
        std::pair(host.conf_dir, "." + host.conflist + ".tmp.")}) {
    const auto names = names_in(host.at(dir));
    if (!names) {
      place.errors.push_back(names.error());
      continue;
    }
    for (const std::string& name : *names) {
      if (name.starts_with(of)) {
        place.found.push_back(
            file_trace(host, fmt::format("{}/{}", dir, name)));
      }
    }
  }
  return place;
}

/// Restored before ours goes, so that the runtime is never without one.
Place look_at_set_aside(const Host& host, const Record& record) {
  Place place{.what = "conflists", .where = "set aside in " + host.conf_dir};
  for (const auto& [path, aside] : record.set_aside) {
    if (!path_exists(host.at(aside))) continue;
    if (path_exists(host.at(path))) {
      place.kept.push_back(
          fmt::format("{}, since there is a new {}", aside, path));
      continue;
    }
    place.found.push_back({fmt::format("{} gets its name {} back", aside, path),
                           [host, from = aside, to = path] {
                             return restore_aside(host, to, from);
                           }});
  }
  return place;
}

Place look_at_conflists(const Host& host) {
  Place place{.what = "conflists",
              .where = host.conf_dir + ", those that name linsey"};
  Host other = host;
  other.conflist.clear();  // so that ours is listed too
  const auto found = foreign_conflists(other);
  if (!found) {
    place.errors.push_back(found.error());
    return place;
  }
  for (const ForeignConflist& one : *found) {
    if (!one.ours) continue;
    place.found.push_back(file_trace(host, host.conf_dir + "/" + one.name));
  }
  return place;
}

Place look_at_drop_ins(const Host& host) {
  Place place{.what = "drop-ins",
              .where = "of NetworkManager, systemd-networkd and udev"};
  for (const DropIn& one : drop_ins({})) {
    const std::string text = read_file(host.at(one.path)).value_or("");
    if (!text.starts_with("# Written by linsey-install")) continue;
    place.found.push_back(file_trace(host, one.path));
  }
  return place;
}

bool is_mount_point(const std::string& dir) {
  struct stat self {};
  struct stat parent {};
  return stat(dir.c_str(), &self) == 0 &&
         stat((dir + "/..").c_str(), &parent) == 0 &&
         self.st_dev != parent.st_dev;
}

/// Errors: kInvalidConfig for a path so short that it cannot be ours alone.
Result<void> remove_tree(const std::string& dir) {
  if (std::ranges::count(dir, '/') < 2) {
    return make_error(Code::kInvalidConfig,
                      "{} is not removed as a whole; remove it by hand", dir);
  }
  ErrorList errors;
  for (const std::string& name : TRY(names_in(dir))) {
    std::error_code error;
    (void)fs::remove_all(fs::path(dir) / name, error);
    if (error) {
      errors.add(errno_error(error.value(), fmt::format("remove {}", name)));
    }
  }
  TRY(errors.result());
  // A directory that a container got by mount goes with the container.
  if (rmdir(dir.c_str()) != 0 && errno != ENOENT && errno != EBUSY) {
    return errno_error(errno, fmt::format("remove {}", dir));
  }
  return {};
}

Place look_at_tree(const Host& host, const std::string& what,
                   const std::string& dir) {
  Place place{.what = what, .where = dir};
  const std::string path = host.at(dir);
  if (!path_exists(path)) return place;
  const auto names = names_in(path);
  if (names && names->empty() && is_mount_point(path)) return place;
  place.found.push_back(
      {fmt::format("{} ({} entries)", dir, names ? names->size() : 0),
       [path] { return remove_tree(path); }});
  return place;
}

/// Those we made and that nobody else uses; the deepest first.
Place look_at_directories(const Host& host, const Record& record) {
  Place place{.what = "directories", .where = "made by linsey-install"};
  for (auto dir = record.directories.rbegin(); dir != record.directories.rend();
       ++dir) {
    if (!path_exists(host.at(*dir))) continue;
    place.found.push_back(
        {*dir + ", if empty", [path = host.at(*dir)]() -> Result<void> {
           if (rmdir(path.c_str()) != 0 && errno != ENOTEMPTY &&
               errno != EEXIST && errno != ENOENT && errno != EBUSY) {
             return errno_error(errno, "remove " + path);
           }
           return {};
         }});
  }
  return place;
}

}  // namespace

std::vector<Place> look_at_files(const UninstallOptions& options) {
  const Host& host = options.host;
  std::vector<Place> places;
  const Result<Record> record = load_record(host);
  const Record known = record.value_or(Record{});
  places.push_back(look_at_set_aside(host, known));
  if (!record) places.back().errors.push_back(record.error());
  places.push_back(look_at_conflists(host));
  places.push_back(look_at_plugins(host, known));
  places.push_back(look_at_temporaries(host));
  places.push_back(look_at_drop_ins(host));
  places.push_back(look_at_tree(host, "run files", host.run_dir));
  if (options.state) {
    places.push_back(look_at_directories(host, known));
    places.push_back(look_at_tree(host, "state", host.state_dir));
  }
  return places;
}

}  // namespace linsey::install
