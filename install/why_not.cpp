#include "install/why_not.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <optional>

#include "base/fd.h"
#include "base/file.h"

namespace linsey::install {
namespace {

std::string nearest_existing(std::string dir) {
  while (!dir.empty() && !path_exists(dir)) {
    const std::size_t slash = dir.rfind('/');
    dir = slash == std::string::npos ? "" : dir.substr(0, slash);
  }
  return dir.empty() ? "/" : dir;
}

std::optional<struct statvfs> file_system_of(const std::string& dir) {
  struct statvfs about {};
  if (statvfs(nearest_existing(dir).c_str(), &about) != 0) return {};
  return about;
}

/// The mount that holds `dir`, out of /proc/self/mountinfo: its longest match.
std::string mount_point_of(const std::string& dir) {
  const std::string text = read_file("/proc/self/mountinfo").value_or("");
  const std::string path = nearest_existing(dir);
  std::string best = "/";
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    std::size_t field = at;  // of the fifth field, the mount point
    for (int i = 0; i < 4; ++i) {
      field = text.find(' ', field) + 1;
    }
    const std::string point = text.substr(field, text.find(' ', field) - field);
    const bool holds = path == point || path.starts_with(point + "/");
    if (holds && point.size() >= best.size()) best = point;
    at = end + 1;
  }
  return best;
}

bool immutable(const std::string& dir) {
  const UniqueFd fd(open(dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  int flags = 0;
  return fd && ioctl(fd.get(), FS_IOC_GETFLAGS, &flags) == 0 &&
         (flags & FS_IMMUTABLE_FL) != 0;
}

std::string trimmed(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\0')) {
    text.pop_back();
  }
  return text;
}

/// Empty where SELinux does not enforce.
std::string selinux_remark(const std::string& dir) {
  if (trimmed(read_file("/sys/fs/selinux/enforce").value_or("")) != "1") {
    return "";
  }
  std::array<char, 256> label{};
  const ssize_t size =
      getxattr(dir.c_str(), "security.selinux", label.data(), label.size());
  const std::string target =
      size > 0
          ? trimmed(std::string(label.data(), static_cast<std::size_t>(size)))
          : "unknown";
  return fmt::format(
      "; SELinux enforces: this process is {}, the directory is {}; run the "
      "container with seLinuxOptions type spc_t",
      trimmed(read_file("/proc/self/attr/current").value_or("unknown")),
      target);
}

std::string permission_reason(const std::string& dir) {
  const std::string there = nearest_existing(dir);
  if (immutable(there)) {
    return fmt::format("{} is immutable; run chattr -i {}", there, there);
  }
  struct stat about {};
  (void)stat(there.c_str(), &about);  // zeros are shown where it fails
  return fmt::format(
      "user {} may not write to {} (owner {}, mode {:o}); run as root with "
      "CAP_DAC_OVERRIDE{}",
      geteuid(), there, about.st_uid, about.st_mode & 07777U,
      selinux_remark(there));
}

}  // namespace

Result<void> can_run_from(const std::string& dir) {
  const auto about = file_system_of(dir);
  if (!about || (about->f_flag & ST_NOEXEC) == 0) return {};
  const std::string mount = mount_point_of(dir);
  return make_error(Code::kBinDirUnusable,
                    "{} lies on {}, which is mounted noexec: no plugin can be "
                    "run from it; run mount -o remount,exec {}, or choose "
                    "another directory with --bin-dir and in the runtime",
                    dir, mount, mount);
}

Error explain_write(const Error& error, const std::string& dir,
                    std::size_t bytes) {
  Error out = error;
  const auto about = file_system_of(dir);
  if (about && (about->f_flag & ST_RDONLY) != 0) {
    out.code = Code::kBinDirUnusable;
    const std::string mount = mount_point_of(dir);
    out.msg += fmt::format(
        "; {} lies on {}, which is mounted read-only; run mount -o remount,rw "
        "{}, or choose another directory with --bin-dir and in the runtime",
        dir, mount, mount);
    return out;
  }
  if (error.code == Code::kDiskFull && about) {
    out.msg += fmt::format(
        "; the file system of {} has {} bytes free, {} are needed; free space "
        "on {}",
        dir, about->f_bavail * about->f_frsize, bytes, mount_point_of(dir));
  }
  if (error.code == Code::kPermission) {
    out.msg += "; " + permission_reason(dir);
  }
  return out;
}

}  // namespace linsey::install
