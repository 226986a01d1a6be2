#include "lab/inventory.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <system_error>

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/json.h"

namespace linsey::lab {
namespace {

namespace fs = std::filesystem;

std::string target_of(const std::string& link) {
  std::error_code failed;
  return fs::read_symlink(link, failed).string();
}

/// "net:[4026531840]" -> 4026531840, anything else -> 0.
std::uint64_t netns_inode(std::string_view target) {
  constexpr std::string_view kPrefix = "net:[";
  std::uint64_t out = 0;
  if (!target.starts_with(kPrefix)) return 0;
  (void)std::from_chars(target.data() + kPrefix.size(),
                        target.data() + target.size(), out);
  return out;
}

/// Looks through /proc; processes that end meanwhile are no finding.
class Walk {
 public:
  Walk(const Inventory& inventory, Proof& proof)
      : inventory_(inventory), proof_(proof) {}

  void run() {
    std::error_code failed;
    for (const auto& entry : fs::directory_iterator("/proc", failed)) {
      const std::string pid = entry.path().filename().string();
      if (!std::ranges::all_of(pid,
                               [](char c) { return c >= '0' && c <= '9'; })) {
        continue;
      }
      if (pid == std::to_string(getpid())) continue;
      look_at("/proc/" + pid, pid);
    }
    proof_.looked_at.push_back(
        fmt::format("{} processes: pid, LINSEY_LAB={} in their environment",
                    processes_, inventory_.name));
    proof_.looked_at.push_back(fmt::format(
        "{} namespace links and descriptors, for the lab's {} network "
        "namespaces",
        handles_, inventory_.namespaces.size()));
    proof_.looked_at.push_back(fmt::format(
        "{} mounts, for the lab's directory and namespaces", mounts_));
  }

 private:
  void look_at(const std::string& proc, const std::string& pid) {
    ++processes_;
    const std::string mark = "LINSEY_LAB=" + inventory_.name;
    const std::string environ = read_file(proc + "/environ").value_or("");
    // Entries end with NUL; ours must match as a whole.
    if ((std::string(1, '\0') + environ).find('\0' + mark + '\0') !=
        std::string::npos) {
      proof_.left.push_back(fmt::format("process {} ({}) is still there", pid,
                                        target_of(proc + "/exe")));
    }
    look_at_handle(proc + "/ns/net", pid);
    std::error_code failed;
    for (const auto& fd : fs::directory_iterator(proc + "/fd", failed)) {
      look_at_handle(fd.path().string(), pid);
    }
    look_at_mounts(proc, pid);
  }

  void look_at_handle(const std::string& link, const std::string& pid) {
    ++handles_;
    const std::uint64_t inode = netns_inode(target_of(link));
    if (inode == 0) return;
    for (const auto& [name, id] : inventory_.namespaces) {
      if (id.inode != inode) continue;
      const Result<netlink::NetNs> ns = netlink::NetNs::open(link);
      if (!ns) continue;
      const Result<NamespaceId> found = identify(*ns);
      if (!found || !(*found == id)) continue;
      proof_.left.push_back(fmt::format(
          "namespace {} is held by {} of process {}", name, link, pid));
    }
  }

  /// Mount namespaces repeat each other; each is read once.
  void look_at_mounts(const std::string& proc, const std::string& pid) {
    const std::string ns = target_of(proc + "/ns/mnt");
    if (std::ranges::find(seen_, ns) != seen_.end()) return;
    seen_.push_back(ns);
    const std::string text = read_file(proc + "/mountinfo").value_or("");
    mounts_ += static_cast<std::size_t>(std::ranges::count(text, '\n'));
    if (text.find(" " + inventory_.directory) != std::string::npos) {
      proof_.left.push_back(fmt::format(
          "a mount below {} is seen by process {}", inventory_.directory, pid));
    }
    for (const auto& [name, id] : inventory_.namespaces) {
      if (text.find(fmt::format("net:[{}]", id.inode)) == std::string::npos) {
        continue;
      }
      proof_.left.push_back(
          fmt::format("namespace {} (net:[{}]) is mounted, seen by process {}",
                      name, id.inode, pid));
    }
  }

  const Inventory& inventory_;
  Proof& proof_;
  std::size_t processes_ = 0;
  std::size_t handles_ = 0;
  std::size_t mounts_ = 0;
  std::vector<std::string> seen_;
};

void look_at_links(const Inventory& inventory, Proof& proof) {
  const std::vector<std::string> now = host_links();
  for (const std::string& link : now) {
    const bool ours = link.starts_with("cali") || link.starts_with("lin") ||
                      link.starts_with("eni-") || link.starts_with("port-") ||
                      link == "line" || link == "fabric";
    if (ours && std::ranges::find(inventory.host_links, link) ==
                    inventory.host_links.end()) {
      proof.left.push_back("link " + link + " in the host's namespace");
    }
  }
  proof.looked_at.push_back(
      fmt::format("{} links of the host's namespace", now.size()));
}

}  // namespace

Result<NamespaceId> identify(const netlink::NetNs& ns) {
  NamespaceId id;
  struct stat about {};
  if (fstat(ns.fd(), &about) != 0) {
    return errno_error(errno, "stat a network namespace");
  }
  id.inode = about.st_ino;
  TRY(ns.run([&]() -> Result<void> {
    const UniqueFd fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    socklen_t length = sizeof id.cookie;
    if (!fd || getsockopt(fd.get(), SOL_SOCKET, SO_NETNS_COOKIE, &id.cookie,
                          &length) != 0) {
      return errno_error(errno, "ask for a namespace's cookie", Code::kKernel);
    }
    return {};
  }));
  return id;
}

std::vector<std::string> host_links() {
  std::vector<std::string> out;
  std::error_code failed;
  for (const auto& entry : fs::directory_iterator("/sys/class/net", failed)) {
    out.push_back(entry.path().filename().string());
  }
  std::ranges::sort(out);
  return out;
}

std::string to_json(const Inventory& inventory) {
  Json namespaces = Json::object();
  for (const auto& [name, id] : inventory.namespaces) {
    namespaces[name] = {{"inode", id.inode}, {"cookie", id.cookie}};
  }
  return dump_json({{"name", inventory.name},
                    {"directory", inventory.directory},
                    {"namespaces", namespaces},
                    {"processes", inventory.processes},
                    {"hostLinks", inventory.host_links}});
}

Result<Inventory> parse_inventory(std::string_view text) {
  const Json json = TRY(parse_json(text));
  Inventory out;
  ObjectReader reader(&json, "", Code::kDecode);
  reader.get("name", out.name);
  reader.get("directory", out.directory);
  reader.get("hostLinks", out.host_links);
  const Json* namespaces = reader.raw("namespaces");
  const Json* processes = reader.raw("processes");
  TRY(reader.finish());
  if (namespaces != nullptr && namespaces->is_object()) {
    for (const auto& [name, id] : namespaces->items()) {
      out.namespaces[name] = {id.value("inode", std::uint64_t{0}),
                              id.value("cookie", std::uint64_t{0})};
    }
  }
  if (processes != nullptr && processes->is_object()) {
    for (const auto& [name, pid] : processes->items()) {
      if (pid.is_number_integer()) out.processes[name] = pid.get<pid_t>();
    }
  }
  return out;
}

Proof prove_gone(const Inventory& inventory) {
  Proof proof;
  Walk(inventory, proof).run();
  look_at_links(inventory, proof);
  proof.looked_at.push_back("directory " + inventory.directory);
  if (path_exists(inventory.directory)) {
    proof.left.push_back("directory " + inventory.directory);
  }
  return proof;
}

}  // namespace linsey::lab
