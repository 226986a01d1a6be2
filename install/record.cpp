#include "install/record.h"

#include <vector>

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/json.h"

namespace linsey::install {

Result<Record> load_record(const Host& host) {
  const std::string path = host.at(host.record_file());
  Record record;
  if (!path_exists(path)) return record;
  const std::string text = TRY(read_file(path));
  const Result<Json> json = parse_json(text);
  const auto corrupt = [&](const Error& why) {
    return make_error(Code::kStateCorrupt, "{}: {}", path, why.msg);
  };
  if (!json) return corrupt(json.error());
  ObjectReader reader(&*json, "");
  reader.ignore_unknown();
  reader.each_member("files", [&](const std::string& file, ObjectReader& one) {
    PlacedFile placed;
    one.get("sha1", placed.sha1);
    one.get("copyBefore", placed.copy_before);
    one.get_int("modeBefore", placed.mode_before, 0, 07777);
    record.files.emplace(file, std::move(placed));
  });
  std::vector<std::string> directories;
  reader.get("directories", directories);
  record.directories.insert(directories.begin(), directories.end());
  reader.get("setAside", record.set_aside);
  const Result<void> read = reader.finish();
  if (!read) return corrupt(read.error());
  return record;
}

Result<void> save_record(const Host& host, const Record& record) {
  Json files = Json::object();
  for (const auto& [path, placed] : record.files) {
    files[path] = {{"sha1", placed.sha1},
                   {"copyBefore", placed.copy_before},
                   {"modeBefore", placed.mode_before}};
  }
  const Json json = {{"version", 1},
                     {"files", std::move(files)},
                     {"directories", record.directories},
                     {"setAside", record.set_aside}};
  TRY(make_directories(host.at(host.state_dir), 0700));
  return write_file_atomic(host.at(host.record_file()),
                           dump_json(json, 2) + "\n", {.mode = 0600});
}

}  // namespace linsey::install
