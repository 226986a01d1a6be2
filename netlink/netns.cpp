#include "netlink/netns.h"

#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <thread>

#include "base/file.h"

namespace linsey::netlink {
namespace {

constexpr const char* kOwnPath = "/proc/thread-self/ns/net";

Error no_netns(const std::string& path, const std::string& why) {
  return make_error(Code::kInvalidNetns,
                    "{} is no network namespace ({}); give the path of a "
                    "live one, such as /var/run/netns/NAME",
                    path, why);
}

/// Runs `fn` on a thread of its own; that thread alone changes namespace.
Result<void> on_new_thread(const std::function<Result<void>()>& fn) {
  Result<void> result;
  std::thread([&] { result = fn(); }).join();
  return result;
}

Result<UniqueFd> open_path(const std::string& path) {
  // O_NONBLOCK: the path comes from outside and may be a FIFO.
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd) {
    const int number = errno;
    if (number == EACCES || number == EPERM) return errno_error(number, path);
    return no_netns(path, strerrordesc_np(number));
  }
  return fd;
}

}  // namespace

Result<NetNs> NetNs::from_fd(UniqueFd fd, const std::string& path) {
  const int type = ::ioctl(fd.get(), NS_GET_NSTYPE);
  if (type < 0) return no_netns(path, "not a namespace file");
  if (type != CLONE_NEWNET) return no_netns(path, "another kind of namespace");
  struct stat about {};
  if (::fstat(fd.get(), &about) != 0) return errno_error(errno, path);
  return NetNs(std::move(fd), about.st_dev, about.st_ino);
}

Result<NetNs> NetNs::open(const std::string& path) {
  return from_fd(TRY(open_path(path)), path);
}

Result<NetNs> NetNs::current() {
  return open(kOwnPath);
}

bool NetNs::is_current() const {
  struct stat own {};
  return ::stat(kOwnPath, &own) == 0 && own.st_dev == device_ &&
         own.st_ino == inode_;
}

Result<NetNs> NetNs::create() {
  UniqueFd fd;
  TRY(on_new_thread([&]() -> Result<void> {
    if (::unshare(CLONE_NEWNET) != 0) {
      return errno_error(errno, "make a network namespace (CAP_SYS_ADMIN)",
                         Code::kKernel);
    }
    fd = TRY(open_path(kOwnPath));
    return {};
  }));
  return from_fd(std::move(fd), "new network namespace");
}

Result<void> NetNs::run(const std::function<Result<void>()>& fn) const {
  return on_new_thread([&]() -> Result<void> {
    if (::setns(fd_.get(), CLONE_NEWNET) != 0) {
      return errno_error(errno, "enter network namespace (CAP_SYS_ADMIN)",
                         Code::kInvalidNetns);
    }
    return fn();
  });
}

std::string NetNs::path() const {
  return fmt::format("/proc/{}/fd/{}", ::getpid(), fd_.get());
}

namespace {

std::string sysctl_file(const std::string& path) {
  return "/proc/sys/" + path;
}

/// In a container /proc/sys is read-only; there the manifests mount the
/// host's again, under a path that the runtime allows.
constexpr char kOtherDoor[] = "/host/proc/sys/";

Result<UniqueFd> open_sysctl(const std::string& path, int flags) {
  const std::string file = sysctl_file(path);
  UniqueFd fd(::open(file.c_str(), flags | O_CLOEXEC));
  if (fd) return fd;
  const int number = errno;
  if (number == EROFS || number == EACCES) {
    fd = UniqueFd(::open((kOtherDoor + path).c_str(), flags | O_CLOEXEC));
    if (fd) return fd;
  }
  if (number == ENOENT) {
    return make_error(Code::kKernelFeatureMissing,
                      "{} does not exist; this kernel has no such setting",
                      file);
  }
  return errno_error(number, file);
}

}  // namespace

Result<void> set_sysctl(const std::string& path, const std::string& value) {
  const UniqueFd fd = TRY(open_sysctl(path, O_WRONLY));
  return context(write_all(fd.get(), value), "write {} to {}", value,
                 sysctl_file(path));
}

Result<void> set_sysctl_in(const NetNs& ns, const std::string& path,
                           const std::string& value) {
  return ns.run([&] { return set_sysctl(path, value); });
}

Result<std::string> get_sysctl(const std::string& path) {
  const UniqueFd fd = TRY(open_sysctl(path, O_RDONLY));
  std::string text(256, '\0');
  const ssize_t length = ::read(fd.get(), text.data(), text.size());
  if (length < 0) return errno_error(errno, sysctl_file(path));
  text.resize(static_cast<std::size_t>(length));
  while (!text.empty() && text.back() == '\n')
    text.pop_back();
  return text;
}

}  // namespace linsey::netlink
