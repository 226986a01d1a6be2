// line-tool: the guard by hand, for shows that need a node and no agent.
//
//   line-tool apply LINE_JSON PODS    {"dataCentre": [CIDR...], "line": {...}};
//                                     one pod a line: NAMESPACE NAME CLASS
//                                     IP...
//   line-tool off
//   line-tool read                    a line for each class: DIRECTION MINOR
//                                     PARENT BYTES DROPS BACKLOG
// In the network namespace of the caller. Exit code 3: a direction conflicts.
#include <cstdio>
#include <sstream>
#include <string_view>

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/json.h"
#include "conf/line_config.h"
#include "line/kernel.h"

namespace linsey::line {
namespace {

Result<conf::LineClass> parse_class(const std::string& text) {
  for (const conf::LineClass cls : conf::kLineClasses) {
    if (conf::name(cls) == text) return cls;
  }
  return make_error(Code::kDecode, "no class {}", text);
}

Result<std::vector<Pod>> parse_pods(const std::string& text) {
  std::vector<Pod> pods;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    Pod pod;
    std::string cls;
    if (!(words >> pod.name_space >> pod.name >> cls)) continue;
    pod.cls = TRY(parse_class(cls));
    for (std::string address; words >> address;) {
      pod.addresses.push_back(TRY(IpAddr::parse(address)));
    }
    pods.push_back(std::move(pod));
  }
  return pods;
}

struct Setting {
  conf::Line line;
  std::vector<Cidr> far;
};

Result<Setting> parse_setting(const std::string& text) {
  const Json json = TRY(parse_json(text));
  Setting setting;
  ObjectReader reader(&json, "");
  reader.get_parsed_list("dataCentre", setting.far, Cidr::parse_network);
  reader.object(
      "line", [&](ObjectReader& line) { conf::read_line(line, setting.line); });
  TRY(reader.finish());
  TRY(conf::check_line(setting.line, setting.far));
  return setting;
}

Result<int> apply_files(netlink::Socket& socket, const std::string& config_file,
                        const std::string& pods_file) {
  const Setting config = TRY(parse_setting(TRY(read_file(config_file))));
  const std::vector<Pod> pods = TRY(parse_pods(TRY(read_file(pods_file))));
  Numbers numbers = TRY(recover_numbers(socket));
  numbers.update(pods);
  const std::string queue = TRY(leaf_queue(socket));
  const Report report =
      TRY(apply(socket, config.line,
                make_plan(config.line, config.far, pods, numbers, queue)));
  std::printf("links %zu changes %zu queue %s\n", report.nics.size(),
              report.changes, queue.c_str());
  for (const Error& conflict : report.conflicts) {
    std::printf("%s\n", to_string(conflict).c_str());
  }
  return report.conflicts.empty() ? 0 : 3;
}

Result<int> print_classes(netlink::Socket& socket) {
  const auto classes = TRY(read_classes(socket));
  for (const Direction direction : kDirections) {
    for (const netlink::HtbClass& cls :
         classes.at(static_cast<std::size_t>(direction))) {
      std::printf("%s %x %x %zu %zu %zu\n", name(direction).data(),
                  cls.handle & 0xffff, cls.parent & 0xffff,
                  static_cast<std::size_t>(cls.counters.bytes),
                  static_cast<std::size_t>(cls.counters.drops),
                  static_cast<std::size_t>(cls.counters.backlog));
    }
  }
  return 0;
}

Result<int> work(const std::vector<std::string>& words) {
  netlink::Socket socket = TRY(netlink::Socket::open());
  if (words.size() == 3 && words[0] == "apply") {
    return apply_files(socket, words[1], words[2]);
  }
  if (words.size() == 1 && words[0] == "read") return print_classes(socket);
  if (words.size() == 1 && words[0] == "off") {
    TRY(remove_all(socket));
    return 0;
  }
  return make_error(Code::kDecode, "usage: line-tool apply FILE FILE|off|read");
}

}  // namespace
}  // namespace linsey::line

int main(int argc, char** argv) {
  const auto done =
      linsey::line::work(std::vector<std::string>(argv + 1, argv + argc));
  if (done) return *done;
  std::fprintf(stderr, "%s\n", to_string(done.error()).c_str());
  return 1;
}
