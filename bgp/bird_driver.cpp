#include "bgp/bird_driver.h"

#include <algorithm>

#include "base/crash_point.h"
#include "base/file.h"
#include "base/process.h"

namespace linsey::bgp {
namespace {

/// `bird -p`; silent where the binary is not to be had, as BIRD itself checks
/// the file again.
Result<void> parse_with_binary(const BirdPaths& paths,
                               const std::string& file) {
  const Result<Finished> finished =
      run({.argv = {paths.binary, "-p", "-c", file}, .timeout = paths.timeout});
  if (!finished || finished->exit_code == 127) return {};
  if (finished->timed_out) {
    return make_error(Code::kBirdConfigRefused, "{} -p did not end in {} ms",
                      paths.binary, paths.timeout.count());
  }
  if (finished->exit_code == 0) return {};
  return Error{
      Code::kBirdConfigRefused, "BIRD's parser says " + finished->err, {}};
}

Result<void> check_file(const BirdPaths& paths, const std::string& file) {
  TRY(parse_with_binary(paths, file));
  Result<BirdControl> bird =
      BirdControl::connect(paths.control_socket, paths.timeout);
  if (!bird) return {};  // told later, by configure()
  Result<void> checked = bird->check(file);
  if (checked || checked.error().code != Code::kBirdConfigRefused) return {};
  return checked;
}

/// Puts `text` in place once it was checked. The earlier file stays when it is
/// refused.
Result<void> replace_file(const BirdPaths& paths, const std::string& text) {
  const std::string candidate = paths.config_file + ".new";
  TRY(write_file_atomic(candidate, text, {.mode = 0600, .sync = false}));
  CRASH_POINT("bird.candidate");
  const Result<void> checked = check_file(paths, candidate);
  TRY(remove_file(candidate));
  TRY(checked);
  TRY(write_file_atomic(paths.config_file, text,
                        {.mode = 0600, .sync = false}));
  CRASH_POINT("bird.replaced");
  return {};
}

/// The part that says what may leave and what is said of it.
std::string export_part(const std::string& text) {
  std::string part;
  bool inside = false;
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t end = text.find('\n', at);
    const std::string line = text.substr(at, end - at);
    inside = inside || line.starts_with("function linsey_may_leave") ||
             line.find("linsey_export") != std::string::npos;
    if (inside) part += line + "\n";
    if (line == "}") inside = false;
    if (end == std::string::npos) break;
    at = end + 1;
  }
  return part;
}

Result<void> configure(const BirdPaths& paths, bool say_again) {
  BirdControl bird =
      TRY(BirdControl::connect(paths.control_socket, paths.timeout));
  TRY(bird.configure(paths.config_file));
  CRASH_POINT("bird.configured");
  // A BIRD that cannot answer now goes back by itself.
  TRY(bird.status());
  TRY(bird.confirm());
  return say_again ? bird.reload_out() : Result<void>();
}

Result<std::vector<Violation>> violations_of(
    BirdControl& bird, const std::vector<Session>& sessions,
    const std::vector<Cidr>& allowed) {
  std::vector<Violation> violations;
  for (const Session& session : sessions) {
    if (session.kind != "BGP" || !session.established()) continue;
    for (const Cidr& prefix : TRY(bird.exported(session.name))) {
      if (std::find(allowed.begin(), allowed.end(), prefix) == allowed.end()) {
        violations.push_back({session.name, prefix});
      }
    }
  }
  return violations;
}

}  // namespace

Result<Applied> apply(const Speaker& speaker, const BirdPaths& paths) {
  const std::string text = TRY(render(speaker));
  const Result<std::string> earlier = read_file(paths.config_file);
  Applied applied;
  applied.changed = !earlier || *earlier != text;
  if (applied.changed) {
    TRY(context(replace_file(paths, text), "write {}", paths.config_file));
  }
  // BIRD 2.0.12 does not announce a route that comes together with the change
  // of the filter that admits it.
  const bool say_again =
      applied.changed && earlier && export_part(*earlier) != export_part(text);
  const Result<void> configured = configure(paths, say_again);
  applied.accepted = configured.has_value();
  if (configured) return applied;
  if (configured.error().code == Code::kBirdConfigRefused) {
    // It passed the check a moment ago; keep the text that BIRD runs.
    if (applied.changed && earlier) {
      TRY(write_file_atomic(paths.config_file, *earlier,
                            {.mode = 0600, .sync = false}));
    }
    return configured.error();
  }
  applied.why_not = configured.error();
  return applied;
}

Result<Observed> observe(const Speaker& speaker, const BirdPaths& paths) {
  BirdControl bird =
      TRY(BirdControl::connect(paths.control_socket, paths.timeout));
  Observed observed;
  observed.running = TRY(bird.status());
  const std::vector<Session> sessions = TRY(bird.sessions());
  for (const Peer& peer : speaker.peers) {
    const std::string name = protocol_name(peer);
    const auto found =
        std::find_if(sessions.begin(), sessions.end(),
                     [&](const Session& s) { return s.name == name; });
    Session session;
    session.name = name;
    if (found != sessions.end()) session = *found;
    observed.peers.push_back(session);
    if (!session.established()) continue;
    for (const Cidr& prefix : TRY(bird.exported(name))) {
      observed.announced.push_back(prefix);
    }
  }
  const std::vector<Cidr> allowed = announceable(speaker);
  observed.violations = TRY(violations_of(bird, sessions, allowed));
  std::vector<Cidr>& announced = observed.announced;
  std::sort(announced.begin(), announced.end());
  announced.erase(std::unique(announced.begin(), announced.end()),
                  announced.end());
  std::erase_if(announced, [&](const Cidr& prefix) {
    return std::find(allowed.begin(), allowed.end(), prefix) == allowed.end();
  });
  return observed;
}

Result<void> withdraw(const Speaker& speaker, const BirdPaths& paths,
                      const Observed& observed) {
  if (observed.violations.empty()) return {};
  TRY(apply(speaker, paths));
  BirdControl bird =
      TRY(BirdControl::connect(paths.control_socket, paths.timeout));
  TRY(bird.reload_out());
  const std::vector<Session> sessions = TRY(bird.sessions());
  for (const Violation& violation :
       TRY(violations_of(bird, sessions, announceable(speaker)))) {
    TRY(bird.disable(violation.protocol));
  }
  return {};
}

}  // namespace linsey::bgp
