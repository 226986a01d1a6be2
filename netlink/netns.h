// NetNs: a network namespace, held by a descriptor.
//
// Almost nothing enters a namespace. A Socket is opened in one and stays there,
// so "which namespace" is the socket one passes. The few calls that must run
// inside (writing /proc/sys) go through run(), which uses a thread that ends
// afterwards: there is no way back that could fail. A guard that enters and
// restores was rejected, because a thread that cannot return would go on in
// the wrong namespace.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>

#include "base/fd.h"
#include "base/result.h"

namespace linsey::netlink {

class NetNs {
 public:
  /// Opens the namespace bound to `path` ("/var/run/netns/x",
  /// "/proc/7/ns/net"). Errors: kInvalidNetns when there is nothing at the
  /// path, or something that is no network namespace; kPermission.
  static Result<NetNs> open(const std::string& path);
  /// The namespace of the calling thread.
  static Result<NetNs> current();
  /// Whether the calling thread is in it. Cost: one system call.
  bool is_current() const;
  /// A new namespace without a name. It lives as long as this object, or
  /// anything inside it, does; its `lo` is down. Errors: kPermission.
  static Result<NetNs> create();

  /// Runs `fn` on a new thread inside the namespace and waits for it. Errors:
  /// those of `fn`; kInvalidNetns when it cannot be entered. Cost: ~35 us.
  Result<void> run(const std::function<Result<void>()>& fn) const;

  int fd() const { return fd_.get(); }
  /// "/proc/PID/fd/N": how another process of this machine can open it, for as
  /// long as this object lives.
  std::string path() const;

  /// The same namespace, whatever path it was opened by.
  bool operator==(const NetNs& other) const {
    return device_ == other.device_ && inode_ == other.inode_;
  }

 private:
  NetNs(UniqueFd fd, dev_t device, ino_t inode)
      : fd_(std::move(fd)), device_(device), inode_(inode) {}
  static Result<NetNs> from_fd(UniqueFd fd, const std::string& path);

  UniqueFd fd_;
  dev_t device_;
  ino_t inode_;
};

/// Writes a sysctl of `ns`: "net/ipv4/conf/eth0/rp_filter". Errors: kIo with
/// the path, kKernelFeatureMissing when the kernel has no such file.
Result<void> set_sysctl_in(const NetNs& ns, const std::string& path,
                           const std::string& value);
/// As set_sysctl_in, in the namespace of the calling thread.
Result<void> set_sysctl(const std::string& path, const std::string& value);
/// Reads one, without the newline. Errors: as set_sysctl_in.
Result<std::string> get_sysctl(const std::string& path);

}  // namespace linsey::netlink
