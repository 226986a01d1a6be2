// BIRD's control socket, spoken by reply numbers (0xxx done, 1xxx data, 8xxx
// run-time error, 9xxx parse error; "-" continues, a blank ends).
//
// One object is one connection and blocks up to its deadline, so it belongs to
// a worker, never to the loop. Text is looked at only where BIRD gives a value
// nowhere else (states, routes), and never to tell success from failure.
// Everything put into a command is checked: a file name or protocol name that
// could end its string is refused. Rejected: running birdc, whose output has
// no numbers.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/ip.h"
#include "base/result.h"

namespace linsey::bgp {

struct ReplyLine {
  int code = 0;
  std::string text;
};

/// One protocol of BIRD, of whatever kind.
struct Session {
  std::string name;   // as in protocol_name()
  std::string kind;   // "BGP", "Static", …
  std::string state;  // "up", "start", "down"
  std::string since;
  std::string bgp_state;  // "Established", "Active", …; BGP only
  std::string last_error;
  std::string bfd;  // "Up", "Down", "Init"; empty: no BFD
  bool limit_hit = false;
  std::uint64_t imported = 0;
  std::uint64_t exported = 0;

  bool established() const { return bgp_state == "Established"; }
};

struct Running {
  std::string version;
  std::string router_id;
  std::string last_reconfiguration;
  bool recovering = false;  // a graceful restart is not over yet
};

class BirdControl {
 public:
  /// Errors of all below: kBirdDown when the socket cannot be reached, closes,
  /// or does not answer in time; kProtocolMismatch when it is no BIRD.
  static Result<BirdControl> connect(
      const std::string& path,
      std::chrono::milliseconds timeout = std::chrono::seconds(5));

  /// Parses `file` without using it. Errors: kBirdConfigRefused with BIRD's
  /// line and text.
  Result<void> check(const std::string& file);
  /// Uses `file`; sessions whose part did not change stay up. BIRD goes back
  /// by itself when confirm() does not follow within some seconds. Errors:
  /// kBirdConfigRefused, and the earlier configuration goes on.
  Result<void> configure(const std::string& file);
  Result<void> confirm();
  /// Back to the configuration before the last one.
  Result<void> undo();
  /// Says everything to every peer again.
  Result<void> reload_out();
  /// Ends a session until the next start or `enable`.
  Result<void> disable(std::string_view protocol);
  /// Ends BIRD so that routes stay with kernel and peers until it is back.
  Result<void> graceful_restart();

  Result<Running> status();
  Result<std::vector<Session>> sessions();
  /// What is announced to the peer of a BGP protocol now.
  Result<std::vector<Cidr>> exported(std::string_view protocol);
  /// Whether a route learned by BGP leads to `address`.
  Result<bool> learned(const IpAddr& address);
  /// Networks in BIRD's own tables, `prefix` itself only. Empty: none.
  Result<std::vector<std::string>> routes(const Cidr& prefix);

  /// Sends one command and reads its whole reply. Errors: kInternal with
  /// BIRD's text for 8xxx and 9xxx.
  Result<std::vector<ReplyLine>> command(std::string_view text);

 private:
  using Deadline = std::chrono::steady_clock::time_point;
  BirdControl(UniqueFd fd, std::chrono::milliseconds timeout)
      : fd_(std::move(fd)), timeout_(timeout) {}
  Result<std::vector<ReplyLine>> exchange(std::string_view text);
  Result<std::vector<ReplyLine>> read_reply(Deadline deadline);
  Result<std::string> read_line(Deadline deadline);
  Result<void> reconfigure(const std::string& command);
  Result<void> add_bfd(std::vector<Session>& sessions,
                       const std::vector<std::string>& addresses);

  UniqueFd fd_;
  std::chrono::milliseconds timeout_;
  std::string buffer_;
};

}  // namespace linsey::bgp
