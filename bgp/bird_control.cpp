#include "bgp/bird_control.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

namespace linsey::bgp {
namespace {

constexpr std::size_t kMaxLine = std::size_t{64} << 10;
constexpr std::size_t kMaxLines = 200000;
constexpr std::chrono::seconds kConfirmWithin(20);

Error down(std::string_view what) {
  return make_error(Code::kBirdDown, "{}", what);
}

bool is_error(int code) {
  return code >= 8000;
}

/// A string that stands between quotation marks in a command.
Result<std::string> quoted(std::string_view text) {
  for (const char c : text) {
    if (c != '"' && static_cast<unsigned char>(c) >= ' ' && c != '\x7f') {
      continue;
    }
    return make_error(Code::kInvalidConfig,
                      "a name with a quotation mark or control character "
                      "cannot be given to BIRD");
  }
  return fmt::format("\"{}\"", text);
}

Result<std::string> protocol(std::string_view name) {
  for (const char c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' ||
        c == '-' || c == '.' || c == ':') {
      continue;
    }
    return make_error(Code::kInvalidConfig, "\"{}\" is no protocol name", name);
  }
  return fmt::format("'{}'", name);
}

std::vector<std::string> words(std::string_view text) {
  std::vector<std::string> result;
  std::size_t at = 0;
  while ((at = text.find_first_not_of(" \t", at)) != std::string_view::npos) {
    const std::size_t end =
        std::min(text.find_first_of(" \t", at), text.size());
    result.emplace_back(text.substr(at, end - at));
    at = end;
  }
  return result;
}

/// The value of "  KEY:   VALUE"; empty when the line is of another key.
std::string value_of(std::string_view line, std::string_view key) {
  const std::size_t start = line.find_first_not_of(' ');
  if (start == std::string_view::npos) return {};
  line.remove_prefix(start);
  if (!line.starts_with(key) || line.size() <= key.size() ||
      line[key.size()] != ':') {
    return {};
  }
  line.remove_prefix(key.size() + 1);
  const std::size_t value = line.find_first_not_of(' ');
  return value == std::string_view::npos ? std::string()
                                         : std::string(line.substr(value));
}

/// "2 imported, 1 filtered, 3 exported, 2 preferred".
std::uint64_t count_before(const std::string& text, std::string_view word) {
  const std::vector<std::string> parts = words(text);
  for (std::size_t i = 1; i < parts.size(); ++i) {
    if (!parts[i].starts_with(word)) continue;
    std::uint64_t number = 0;
    const std::string& digits = parts[i - 1];
    (void)std::from_chars(digits.data(), digits.data() + digits.size(),
                          number);  // stays 0 when it is none
    return number;
  }
  return 0;
}

/// "peer_a BGP --- up 2026-01-02 10:00:00 Established". The since column has
/// one or two words, so the rest is cut from the whole text.
Session parse_session(const std::string& line) {
  const std::vector<std::string> parts = words(line);
  Session session;
  if (parts.size() < 5) return session;
  session.name = parts[0];
  session.kind = parts[1];
  session.state = parts[3];
  session.since = parts[4];
  if (parts.size() > 5 && parts[5].find(':') != std::string::npos) {
    session.since += " " + parts[5];
  }
  return session;
}

void add_detail(Session& session, const std::string& line) {
  if (std::string state = value_of(line, "BGP state"); !state.empty()) {
    session.bgp_state = std::move(state);
  }
  if (std::string error = value_of(line, "Last error"); !error.empty()) {
    session.last_error = std::move(error);
  }
  if (value_of(line, "Receive limit").ends_with("[HIT]")) {
    session.limit_hit = true;
  }
  if (const std::string routes = value_of(line, "Routes"); !routes.empty()) {
    session.imported += count_before(routes, "imported");
    session.exported += count_before(routes, "exported");
  }
}

std::string joined(const std::vector<ReplyLine>& lines, bool errors_only) {
  std::string text;
  for (const ReplyLine& line : lines) {
    if (errors_only && !is_error(line.code)) continue;
    if (!text.empty()) text += "; ";
    text += line.text;
  }
  return text;
}

}  // namespace

Result<BirdControl> BirdControl::connect(const std::string& path,
                                         std::chrono::milliseconds timeout) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return make_error(Code::kInvalidConfig,
                      "the path of BIRD's control socket is too long: {}",
                      path);
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return errno_error(errno, "socket", Code::kKernel);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address),
                sizeof address) != 0) {
    return errno_error(errno, fmt::format("connect to BIRD at {}", path),
                       Code::kBirdDown);
  }
  BirdControl control(std::move(fd), timeout);
  const auto greeting =
      TRY(control.read_reply(std::chrono::steady_clock::now() + timeout));
  if (greeting.back().code != 1 || !greeting.back().text.starts_with("BIRD")) {
    return make_error(Code::kProtocolMismatch, "{} is not BIRD's: it says {}",
                      path, joined(greeting, false));
  }
  return control;
}

Result<std::string> BirdControl::read_line(Deadline deadline) {
  while (true) {
    const std::size_t end = buffer_.find('\n');
    if (end != std::string::npos) {
      std::string line = buffer_.substr(0, end);
      buffer_.erase(0, end + 1);
      return line;
    }
    if (buffer_.size() > kMaxLine) {
      return make_error(Code::kProtocolMismatch, "BIRD's line has no end");
    }
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(
        deadline - std::chrono::steady_clock::now());
    pollfd ready{fd_.get(), POLLIN, 0};
    const int n =
        left.count() <= 0 ? 0 : poll(&ready, 1, static_cast<int>(left.count()));
    if (n == 0) return down("BIRD did not answer in time");
    std::array<char, 8192> piece{};
    const ssize_t got =
        n < 0 ? -1 : recv(fd_.get(), piece.data(), piece.size(), 0);
    if (got == 0) return down("BIRD closed its control socket");
    if (got < 0) {
      if (errno == EINTR || errno == EAGAIN) continue;
      return errno_error(errno, "read from BIRD", Code::kBirdDown);
    }
    buffer_.append(piece.data(), static_cast<std::size_t>(got));
  }
}

Result<std::vector<ReplyLine>> BirdControl::read_reply(Deadline deadline) {
  std::vector<ReplyLine> lines;
  int code = 0;
  while (lines.size() < kMaxLines) {
    const std::string line = TRY(read_line(deadline));
    if (line.starts_with('+')) continue;  // an asynchronous echo of the log
    if (line.starts_with(' ')) {
      lines.push_back({code, line.substr(1)});
      continue;
    }
    const auto parsed =
        line.size() < 5 ? std::from_chars_result{nullptr, std::errc()}
                        : std::from_chars(line.data(), line.data() + 4, code);
    if (parsed.ptr != line.data() + 4) {
      return make_error(Code::kProtocolMismatch,
                        "BIRD's reply has no number: {}", line);
    }
    const char separator = line[4];
    lines.push_back({code, line.substr(5)});
    if (separator == ' ') return lines;
  }
  return make_error(Code::kProtocolMismatch, "BIRD's reply has no end");
}

Result<std::vector<ReplyLine>> BirdControl::exchange(std::string_view text) {
  const auto deadline = std::chrono::steady_clock::now() + timeout_;
  const std::string line = std::string(text) + "\n";
  // A command is far smaller than the socket's buffer, so it goes whole or
  // not at all.
  const ssize_t sent = send(fd_.get(), line.data(), line.size(), MSG_NOSIGNAL);
  if (sent != static_cast<ssize_t>(line.size())) {
    return errno_error(sent < 0 ? errno : EMSGSIZE, "write to BIRD",
                       Code::kBirdDown);
  }
  return read_reply(deadline);
}

Result<std::vector<ReplyLine>> BirdControl::command(std::string_view text) {
  std::vector<ReplyLine> lines = TRY(exchange(text));
  if (is_error(lines.back().code)) {
    return make_error(Code::kInternal, "BIRD refused \"{}\": {} {}", text,
                      lines.back().code, joined(lines, true));
  }
  return lines;
}

Result<void> BirdControl::reconfigure(const std::string& text) {
  const std::vector<ReplyLine> lines = TRY(exchange(text));
  if (!is_error(lines.back().code)) return {};
  return make_error(Code::kBirdConfigRefused, "BIRD says {} {}",
                    lines.back().code, joined(lines, true));
}

Result<void> BirdControl::check(const std::string& file) {
  return reconfigure("configure check " + TRY(quoted(file)));
}

Result<void> BirdControl::configure(const std::string& file) {
  return reconfigure(fmt::format("configure {} timeout {}", TRY(quoted(file)),
                                 kConfirmWithin.count()));
}

Result<void> BirdControl::confirm() {
  return reconfigure("configure confirm");
}

Result<void> BirdControl::reload_out() {
  TRY(command("reload out all"));
  return {};
}

Result<void> BirdControl::disable(std::string_view name) {
  TRY(command("disable " + TRY(protocol(name))));
  return {};
}

Result<void> BirdControl::undo() {
  return reconfigure("configure undo");
}

Result<void> BirdControl::graceful_restart() {
  TRY(command("graceful restart"));
  return {};
}

Result<Running> BirdControl::status() {
  Running running;
  for (const ReplyLine& line : TRY(command("show status"))) {
    if (line.code == 1000) running.version = line.text;
    if (line.code == 24) running.recovering = true;
    if (line.code != 1011) continue;
    const std::vector<std::string> parts = words(line.text);
    if (line.text.starts_with("Router ID is "))
      running.router_id = parts.back();
    if (line.text.starts_with("Last reconfiguration on ")) {
      running.last_reconfiguration =
          line.text.substr(std::strlen("Last reconfiguration on "));
    }
  }
  return running;
}

Result<std::vector<Session>> BirdControl::sessions() {
  std::vector<Session> sessions;
  std::vector<std::string> addresses;  // of the neighbours, side by side
  bool any_bfd = false;
  for (const ReplyLine& line : TRY(command("show protocols all"))) {
    if (line.code == 1002) {
      Session session = parse_session(line.text);
      if (session.name == "Name") continue;
      any_bfd |= session.kind == "BFD";
      sessions.push_back(std::move(session));
      addresses.emplace_back();
    }
    if (line.code == 1006 && !sessions.empty()) {
      add_detail(sessions.back(), line.text);
      const std::string address = value_of(line.text, "Neighbor address");
      if (!address.empty()) addresses.back() = address;
    }
  }
  if (any_bfd) TRY(add_bfd(sessions, addresses));
  return sessions;
}

/// "10.0.1.5  eth0  Up  2026-01-02 10:00:00  0.300  0.900".
Result<void> BirdControl::add_bfd(std::vector<Session>& sessions,
                                  const std::vector<std::string>& addresses) {
  for (const ReplyLine& line : TRY(command("show bfd sessions"))) {
    const std::vector<std::string> parts = words(line.text);
    if (line.code != 1020 || parts.size() < 4) continue;
    for (std::size_t i = 0; i < sessions.size(); ++i) {
      if (addresses[i] == parts[0]) sessions[i].bfd = parts[2];
    }
  }
  return {};
}

Result<std::vector<Cidr>> BirdControl::exported(std::string_view name) {
  const std::string quoted_name = TRY(protocol(name));
  std::vector<Cidr> prefixes;
  for (const ReplyLine& line :
       TRY(exchange("show route export " + quoted_name))) {
    // 9001: the session is down, so its tables are not connected.
    if (is_error(line.code) && line.code != 9001) {
      return make_error(Code::kInternal, "BIRD says {} {}", line.code,
                        line.text);
    }
    if (line.code != 1007) continue;
    const std::vector<std::string> parts = words(line.text);
    if (parts.empty() || line.text.starts_with(' ')) continue;
    const Result<Cidr> prefix = Cidr::parse(parts.front());
    if (prefix) prefixes.push_back(*prefix);
  }
  return prefixes;
}

Result<bool> BirdControl::learned(const IpAddr& address) {
  bool found = false;
  for (const ReplyLine& line : TRY(exchange(fmt::format(
           "show route for {} where source = RTS_BGP", address.to_string())))) {
    found |= line.code == 1007;
    if (is_error(line.code) && line.code != 8001) {
      return make_error(Code::kInternal, "BIRD says {} {}", line.code,
                        line.text);
    }
  }
  return found;
}

Result<std::vector<std::string>> BirdControl::routes(const Cidr& prefix) {
  const auto lines = exchange("show route " + prefix.to_string());
  std::vector<std::string> routes;
  for (const ReplyLine& line : TRY(lines)) {
    if (line.code == 1007) routes.push_back(line.text);
    if (is_error(line.code) && line.code != 8001) {  // 8001: not in the table
      return make_error(Code::kInternal, "BIRD says {} {}", line.code,
                        line.text);
    }
  }
  return routes;
}

}  // namespace linsey::bgp
