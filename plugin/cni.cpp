#include "plugin/cni.h"

#include <signal.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <exception>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "plugin/last_words.h"
#include "plugin/stdio.h"
#include "plugin/trace.h"

namespace linsey::plugin {
namespace {

/// How long a run that needs no stdin listens to it for the version to answer
/// in: libcni writes it at once, a person at a terminal never.
constexpr std::chrono::milliseconds kGlance{200};

constexpr int kStdout = 1;
constexpr int kStderr = 2;

/// The cniVersion of a configuration, as far as it can be read; else our
/// newest.
std::string version_in(std::string_view input) {
  const Result<Json> json = parse_json(input);
  if (json) {
    const Json* value = find_member(*json, "cniVersion");
    if (value != nullptr && value->is_string()) {
      auto text = value->get<std::string>();
      if (find_version(text)) return text;
    }
  }
  return std::string(name(kNewest));
}

void replace_all(std::string& text, std::string_view what,
                 std::string_view by) {
  for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos;) {
    text.replace(at, what.size(), by);
    at += by.size();
  }
}

/// One try to get everything out; the document is one write for all but huge
/// results.
bool print(const std::string& document) {
  forget_last_words();
  return write_all(kStdout, document + "\n").has_value();
}

int fail(const Error& error, std::string_view input, Verb verb) {
  const std::string document =
      error_document(error, version_in(input), verb == Verb::kDel);
  if (!print(document)) (void)write_all(kStderr, document + "\n");
  return 1;
}

/// Logging is silent below warnings and goes to stderr unless asked otherwise;
/// no logger is made for the usual case.
void configure_log(const conf::NetConf& conf) {
  const Result<log::Level> level = log::parse_level(conf.log_level);
  if (conf.log_file.empty() && (!level || *level == log::Level::kWarn)) return;
  const Result<void> done = log::configure(
      {.level = level.value_or(log::Level::kWarn), .file = conf.log_file});
  if (!done) log::warn("{}", done.error().msg);
}

/// Completes a call by the configuration on stdin.
Result<Call> complete(Call call, const Program& program,
                      const std::string& input) {
  const bool takes = call.verb == Verb::kAdd || call.verb == Verb::kCheck;
  call.conf = TRY(conf::parse_netconf(
      input, takes ? program.wishes : conf::Wishes::kIgnore));
  call.version = TRY(accept_version(call.verb, call.conf.cni_version));
  set_last_words_version(name(call.version));
  configure_log(call.conf);
  return call;
}

/// The document to print, empty where success prints nothing.
Result<std::string> run(const Program& program, const Call& call) {
  const auto silent = [](const Result<void>& done) -> Result<std::string> {
    if (!done) return done.error();
    return std::string();
  };
  switch (call.verb) {
    case Verb::kAdd:
      return program.add(call);
    case Verb::kDel:
      return silent(program.del(call));
    case Verb::kCheck:
      return silent(program.check(call));
    case Verb::kGc:
      return silent(program.gc(call));
    case Verb::kStatus:
      return silent(program.status(call));
  }
  return make_error(Code::kInternal, "verb without a function");
}

int serve_verb(const Program& program, std::string_view command,
               const ClosedStdio& closed) {
  const std::optional<Verb> verb = find_verb(command);
  // What is wrong with the environment is said without waiting for stdin.
  Result<Call> environment =
      verb ? read_environment(*verb)
           : Result<Call>(make_error(
                 Code::kInvalidEnvironment,
                 "unknown CNI_COMMAND \"{}\"; use ADD, DEL, CHECK, GC, STATUS "
                 "or VERSION",
                 command));
  if (!environment) {
    return fail(environment.error(), read_stdin(kGlance).value_or(""),
                verb.value_or(Verb::kAdd));
  }
  if (closed.in) {
    return fail(
        {Code::kIo, "stdin is closed; give the configuration on it", {}}, "",
        *verb);
  }
  const Result<std::string> input = read_stdin();
  if (!input) return fail(input.error(), "", *verb);
  trace::mark("input");

  const Result<Call> call = complete(std::move(*environment), program, *input);
  if (!call) return fail(call.error(), *input, *verb);
  if (closed.out && *verb == Verb::kAdd) {
    return fail(
        {Code::kIo, "stdout is closed; nobody would see the result", {}},
        *input, *verb);
  }
  const Result<std::string> document = run(program, *call);
  if (!document) return fail(document.error(), *input, *verb);
  if (document->empty() || print(*document)) return 0;
  // Nobody has seen the result, so the attachment must not stay.
  const Result<void> undone = program.del(*call);
  if (!undone) log::warn("undo of ADD: {}", to_string(undone.error()));
  return fail({Code::kIo, "the result could not be written to stdout", {}},
              *input, *verb);
}

int print_about(const Program& program) {
  std::string versions;
  for (const std::string_view version : kVersionNames) {
    versions += fmt::format("{}{}", versions.empty() ? "" : ", ", version);
  }
  (void)write_all(kStderr, fmt::format("{}\nCNI protocol versions supported: "
                                       "{}\n",
                                       program.about, versions));
  return 0;
}

}  // namespace

std::string error_document(const Error& error, std::string_view version,
                           bool is_del) {
  std::string msg = to_string(error);
  std::string details = error.details;
  if (is_del) {
    replace_all(msg, "not found", "missing");
    replace_all(details, "not found", "missing");
  }
  Json json = {{"cniVersion", version},
               {"code", cni_number(error.code)},
               {"msg", std::move(msg)}};
  if (!details.empty()) json["details"] = std::move(details);
  return dump_json(json);
}

std::string version_document(std::string_view input) {
  return dump_json({{"cniVersion", version_in(input)},
                    {"supportedVersions", kVersionNames}});
}

int serve(const Program& program) {
  trace::mark("start");
  const ClosedStdio closed = fill_closed_stdio();
  (void)signal(SIGPIPE, SIG_IGN);  // a reader that is gone is an error of print
  prepare_last_words();
  const char* command = std::getenv("CNI_COMMAND");
  if (command == nullptr || *command == '\0') return print_about(program);
  int code = 1;
  try {
    if (std::string_view(command) == "VERSION") {
      code = print(version_document(read_stdin(kGlance).value_or(""))) ? 0 : 1;
    } else {
      code = serve_verb(program, command, closed);
    }
  } catch (const std::exception& e) {
    code = fail({Code::kInternal, fmt::format("uncaught: {}", e.what()), {}},
                "", Verb::kDel);
  }
  trace::mark("end");
  trace::print();
  return code;
}

}  // namespace linsey::plugin
