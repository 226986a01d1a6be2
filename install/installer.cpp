#include "install/installer.h"

#include <set>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/json.h"
#include "base/sha1.h"
#include "install/conflists.h"
#include "install/drop_ins.h"
#include "install/publish_conflist.h"
#include "install/why_not.h"

namespace linsey::install {
namespace {

constexpr std::size_t kLargest = std::size_t{256} << 20;

class Installer {
 public:
  explicit Installer(const InstallOptions& options) : options_(options) {}

  Installed run() {
    const Result<FileLock> lock = begin();
    if (!lock) {
      out_.errors.push_back(lock.error());
      return std::move(out_);
    }
    note(directories());
    note(plugins());
    note(drop_ins_of_host());
    note(conflists());
    note(chain());
    return std::move(out_);
  }

 private:
  const Host& host() const { return options_.host; }

  void note(const Result<void>& done) {
    if (!done) out_.errors.push_back(done.error());
  }

  Result<FileLock> begin() {
    const std::string state = host().at(host().state_dir);
    TRY(explained(make_directories(state, 0700), state, 4096));
    FileLock lock =
        TRY(context(FileLock::acquire(state + "/install.lock", true),
                    "wait for another linsey-install"));
    Result<Record> record = load_record(host());
    if (record) {
      record_ = *std::move(record);
    } else if (record.error().code == Code::kStateCorrupt) {
      out_.warnings.push_back(record.error());
    } else {
      return record.error();
    }
    return lock;
  }

  Result<void> directories() {
    ErrorList errors;
    for (const std::string& dir : {host().bin_dir, host().conf_dir}) {
      const bool there = path_exists(host().at(dir));
      const Result<void> made = make_noted_directories(host(), dir, record_);
      errors.add(made);
      if (!there && made) {
        out_.steps.push_back({dir, "created", "it was missing"});
      }
    }
    errors.add(can_run_from(host().at(host().bin_dir)));
    return errors.result();
  }

  Result<void> plugins() {
    const std::string source = options_.from + "/linsey";
    const std::string content =
        TRY(context(read_file(source, kLargest), "read our own plugin"));
    ErrorList errors;
    for (const char* name : {"linsey", "loopback"}) {
      Placement placement{.name = name,
                          .content = content,
                          .given = probe_plugin(options_.from + "/" + name),
                          .policy = options_.policy,
                          .force = options_.force};
      if (!placement.given.runs) {
        errors.add(placement.given.runs);
        continue;
      }
      const Result<Step> step = place_plugin(host(), placement, record_);
      if (step) {
        out_.steps.push_back(*step);
      } else {
        errors.add(step);
      }
    }
    return errors.result();
  }

  Result<void> drop_in(const DropIn& one) {
    if (read_file(host().at(one.path)).value_or("") == one.content) {
      out_.steps.push_back({one.path, "current", one.software});
      return {};
    }
    const std::string dir = one.path.substr(0, one.path.rfind('/'));
    TRY(make_noted_directories(host(), dir, record_));
    record_.files[one.path].sha1 = sha1_hex(one.content);
    TRY(save_record(host(), record_));
    TRY(explained(write_file_atomic(host().at(one.path), one.content),
                  host().at(dir), one.content.size()));
    out_.steps.push_back({one.path, "written",
                          fmt::format("{} takes it over at its next start, or "
                                      "by {}",
                                      one.software, one.apply)});
    return {};
  }

  /// A node without them works until that software is restarted.
  Result<void> drop_ins_of_host() {
    if (!options_.drop_ins) return {};
    for (const DropIn& one : drop_ins(options_.unmanaged)) {
      if (!path_exists(host().at(one.needs))) continue;
      const Result<void> done = drop_in(one);
      if (!done) out_.warnings.push_back(done.error());
    }
    return {};
  }

  Result<void> conflists() {
    ErrorList errors;
    for (const ForeignConflist& one : TRY(foreign_conflists(host()))) {
      if (!options_.set_aside || !one.first) {
        out_.warnings.push_back(warning_of(host(), one));
        continue;
      }
      const Result<void> done = set_aside(host(), one, record_);
      errors.add(done);
      if (done) {
        out_.steps.push_back({host().conf_dir + "/" + one.name, "set aside",
                              "it sorts before ours"});
      }
    }
    return errors.result();
  }

  /// Plugins that an operator appended to the list.
  Result<void> chain() {
    const std::string text = options_.conflist_source.empty()
                                 ? std::string(shipped_conflist())
                                 : TRY(read_file(options_.conflist_source));
    const Json list =
        TRY(context(parse_json(text), "conflist {}", options_.conflist_source));
    ErrorList errors;
    const Json* plugins = find_member(list, "plugins");
    if (plugins == nullptr || !plugins->is_array()) return {};
    for (const Json& plugin : *plugins) {
      const Json* type = find_member(plugin, "type");
      if (type == nullptr || !type->is_string() || *type == "linsey") continue;
      errors.add(look_at(type->get<std::string>()));
    }
    return errors.result();
  }

  Result<void> look_at(const std::string& type) {
    const std::string path = host().bin_dir + "/" + type;
    const Probe probe = probe_plugin(host().at(path));
    TRY(probe.runs);
    out_.steps.push_back(
        {path, "checked",
         fmt::format("speaks CNI up to {}", newest(probe.versions))});
    return {};
  }

  InstallOptions options_;
  Record record_;
  Installed out_;
};

Json errors_json(const std::vector<Error>& errors) {
  Json list = Json::array();
  for (const Error& error : errors) {
    list.push_back({{"reason", name(error.code)},
                    {"message", to_string(error)},
                    {"details", error.details}});
  }
  return list;
}

}  // namespace

Installed install(const InstallOptions& options) {
  return Installer(options).run();
}

std::string to_text(const Installed& installed) {
  std::string out;
  for (const Step& step : installed.steps) {
    out += fmt::format("{:<10} {}: {}\n", step.done, step.what, step.why);
  }
  for (const Error& warning : installed.warnings) {
    out += fmt::format("WARNING    {}\n", to_string(warning));
  }
  for (const Error& error : installed.errors) {
    out += fmt::format("ERROR      {}\n", to_string(error));
    if (!error.details.empty()) {
      out += fmt::format("           {}\n", error.details);
    }
  }
  return out;
}

std::string to_json(const Installed& installed) {
  Json steps = Json::array();
  for (const Step& step : installed.steps) {
    steps.push_back(
        {{"path", step.what}, {"action", step.done}, {"why", step.why}});
  }
  return dump_json({{"steps", std::move(steps)},
                    {"warnings", errors_json(installed.warnings)},
                    {"errors", errors_json(installed.errors)}},
                   2) +
         "\n";
}

}  // namespace linsey::install
