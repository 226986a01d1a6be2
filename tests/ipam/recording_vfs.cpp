#include "tests/ipam/recording_vfs.h"

#include <algorithm>
#include <set>

#include <sqlite3.h>

#include "base/result.h"

namespace linsey::tests {
namespace {

using What = DiskStep::What;

std::vector<DiskStep> recorded;
sqlite3_vfs* real = nullptr;

std::string base_name(const char* path) {
  const std::string text(path == nullptr ? "" : path);
  return text.substr(text.rfind('/') + 1);
}

struct File {
  sqlite3_file base;
  char name[64];
  sqlite3_file* inner() { return reinterpret_cast<sqlite3_file*>(this + 1); }
};

File* of(sqlite3_file* file) {
  return reinterpret_cast<File*>(file);
}
sqlite3_file* inner(sqlite3_file* file) {
  return of(file)->inner();
}

int close_file(sqlite3_file* file) {
  return inner(file)->pMethods->xClose(inner(file));
}
int read_file(sqlite3_file* file, void* to, int size, sqlite3_int64 at) {
  return inner(file)->pMethods->xRead(inner(file), to, size, at);
}
int write_file(sqlite3_file* file, const void* from, int size,
               sqlite3_int64 at) {
  recorded.push_back({What::kWrite, of(file)->name,
                      static_cast<std::size_t>(at),
                      std::string(static_cast<const char*>(from),
                                  static_cast<std::size_t>(size)),
                      0});
  return inner(file)->pMethods->xWrite(inner(file), from, size, at);
}
int cut_file(sqlite3_file* file, sqlite3_int64 size) {
  recorded.push_back(
      {What::kCut, of(file)->name, 0, "", static_cast<std::size_t>(size)});
  return inner(file)->pMethods->xTruncate(inner(file), size);
}
int sync_file(sqlite3_file* file, int flags) {
  recorded.push_back({What::kSync, of(file)->name, 0, "", 0});
  return inner(file)->pMethods->xSync(inner(file), flags);
}
int size_of(sqlite3_file* file, sqlite3_int64* size) {
  return inner(file)->pMethods->xFileSize(inner(file), size);
}
int lock_file(sqlite3_file* file, int level) {
  return inner(file)->pMethods->xLock(inner(file), level);
}
int unlock_file(sqlite3_file* file, int level) {
  return inner(file)->pMethods->xUnlock(inner(file), level);
}
int check_lock(sqlite3_file* file, int* held) {
  return inner(file)->pMethods->xCheckReservedLock(inner(file), held);
}
int control_file(sqlite3_file* file, int op, void* argument) {
  return inner(file)->pMethods->xFileControl(inner(file), op, argument);
}
int sector_size(sqlite3_file* file) {
  return inner(file)->pMethods->xSectorSize(inner(file));
}
int traits(sqlite3_file* file) {
  return inner(file)->pMethods->xDeviceCharacteristics(inner(file));
}
int map_shm(sqlite3_file* file, int page, int size, int extend,
            volatile void** to) {
  return inner(file)->pMethods->xShmMap(inner(file), page, size, extend, to);
}
int lock_shm(sqlite3_file* file, int offset, int count, int flags) {
  return inner(file)->pMethods->xShmLock(inner(file), offset, count, flags);
}
void bar_shm(sqlite3_file* file) {
  inner(file)->pMethods->xShmBarrier(inner(file));
}
int unmap_shm(sqlite3_file* file, int remove) {
  return inner(file)->pMethods->xShmUnmap(inner(file), remove);
}

// Version 2: no memory-mapped reading, so that all goes through here.
const sqlite3_io_methods kMethods = {
    2,       close_file, read_file,   write_file, cut_file,     sync_file,
    size_of, lock_file,  unlock_file, check_lock, control_file, sector_size,
    traits,  map_shm,    lock_shm,    bar_shm,    unmap_shm,    nullptr,
    nullptr};

int open_file(sqlite3_vfs*, const char* path, sqlite3_file* file, int flags,
              int* out) {
  File* mine = of(file);
  mine->base.pMethods = nullptr;
  const std::string name = base_name(path);
  (void)name.copy(mine->name, sizeof mine->name - 1);
  mine->name[std::min(name.size(), sizeof mine->name - 1)] = '\0';
  int exists = 0;
  (void)real->xAccess(real, path, SQLITE_ACCESS_EXISTS, &exists);
  const int result = real->xOpen(real, path, mine->inner(), flags, out);
  if (result != SQLITE_OK) return result;
  if (exists == 0) recorded.push_back({What::kCreate, name, 0, "", 0});
  mine->base.pMethods = &kMethods;
  return SQLITE_OK;
}
int remove_path(sqlite3_vfs*, const char* path, int sync) {
  recorded.push_back({What::kRemove, base_name(path), 0, "", 0});
  return real->xDelete(real, path, sync);
}
int access_path(sqlite3_vfs*, const char* path, int flags, int* out) {
  return real->xAccess(real, path, flags, out);
}
int full_path(sqlite3_vfs*, const char* path, int size, char* out) {
  return real->xFullPathname(real, path, size, out);
}

sqlite3_vfs& shim() {
  static sqlite3_vfs vfs;
  return vfs;
}

void apply(Files& files, const DiskStep& step, std::size_t bytes) {
  switch (step.what) {
    case What::kCreate:
      (void)files[step.file];
      break;
    case What::kWrite: {
      std::string& content = files[step.file];
      const std::size_t size = std::min(bytes, step.bytes.size());
      if (size == 0) break;
      content.resize(std::max(content.size(), step.offset + size));
      content.replace(step.offset, size, step.bytes, 0, size);
      break;
    }
    case What::kCut:
      files[step.file].resize(step.size);
      break;
    case What::kRemove:
      files.erase(step.file);
      break;
    case What::kSync:
      break;
  }
}

/// For each step of the first `count`: is it on the disk for certain?
std::vector<bool> durable(const std::vector<DiskStep>& steps,
                          std::size_t count) {
  std::vector<bool> safe(count, false);
  std::set<std::string> synced;
  for (std::size_t i = count; i-- > 0;) {
    if (steps[i].what == What::kSync) synced.insert(steps[i].file);
    // SQLite syncs the directory when it removes, and with a new log.
    safe[i] = steps[i].what == What::kRemove || synced.contains(steps[i].file);
  }
  return safe;
}

}  // namespace

Files after_kill(const std::vector<DiskStep>& steps, std::size_t count,
                 std::size_t bytes) {
  Files files;
  for (std::size_t i = 0; i < count; ++i) {
    apply(files, steps[i], steps[i].bytes.size());
  }
  if (count < steps.size() && bytes > 0) apply(files, steps[count], bytes);
  return files;
}

Files after_power_loss(const std::vector<DiskStep>& steps, std::size_t count,
                       std::size_t bytes, bool forget) {
  const std::vector<bool> safe = durable(steps, count);
  Files files;
  for (std::size_t i = 0; i < count; ++i) {
    const DiskStep& step = steps[i];
    if (safe[i]) {
      apply(files, step, step.bytes.size());
      continue;
    }
    if (step.what == What::kCreate && forget) continue;
    if (step.what == What::kWrite) {
      if (forget && !files.contains(step.file)) continue;
      apply(files, step, bytes);
      bytes -= std::min(bytes, step.bytes.size());
    } else if (bytes > 0 || step.what == What::kCreate) {
      apply(files, step, 0);
    }
  }
  return files;
}

std::size_t unsynced_bytes(const std::vector<DiskStep>& steps,
                           std::size_t count) {
  const std::vector<bool> safe = durable(steps, count);
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (!safe[i]) bytes += steps[i].bytes.size();
  }
  return bytes;
}

RecordingVfs::RecordingVfs() {
  recorded.clear();
  real = sqlite3_vfs_find(nullptr);
  if (real == nullptr) panic("SQLite has no VFS");
  sqlite3_vfs& vfs = shim();
  vfs = *real;
  vfs.szOsFile = static_cast<int>(sizeof(File)) + real->szOsFile;
  vfs.pNext = nullptr;
  vfs.zName = "recording";
  vfs.xOpen = open_file;
  vfs.xDelete = remove_path;
  vfs.xAccess = access_path;
  vfs.xFullPathname = full_path;
  if (sqlite3_vfs_register(&vfs, 1) != SQLITE_OK) panic("register a VFS");
}

RecordingVfs::~RecordingVfs() {
  (void)sqlite3_vfs_unregister(&shim());
  (void)sqlite3_vfs_register(real, 1);
}

const std::vector<DiskStep>& RecordingVfs::steps() const {
  return recorded;
}

}  // namespace linsey::tests
