// Decisions: why a pod has the address it has, or why it has none; what
// `linseyctl pod explain` asks.
//
// The ledger says what is held. What it does not keep is noted here when an
// ADD was answered, never before: on what grounds this node gave an address,
// and with which reason it refused one. Notes are by pod, bounded (the pod that
// was longest quiet is forgotten) and in memory, so an ADD pays no disk and no
// system call for them; after a restart of the agent the grounds of the present
// stand for those of the past, and the answer says so. Thread: the loop.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/json.h"
#include "base/result.h"
#include "ipam/ledger.h"
#include "ipam/types.h"
#include "rpc/message.h"

namespace linsey::agent {

struct DecisionDeps {
  const Clock& clock;
  const ipam::Ledger& ledger;
  std::function<rpc::Status()> status;
  /// Attachments whose ADD waits for an address.
  std::function<std::vector<ipam::Attachment>()> waiting;
  /// Pods of this node as "namespace/name"; nullopt while that is not known.
  std::function<std::optional<std::set<std::string>>()> pods;
};

class Decisions {
 public:
  static constexpr std::size_t kPods = 1024;

  explicit Decisions(DecisionDeps deps);

  /// An ADD was answered with an address, by a node of this mode.
  void given(const ipam::Held& held, const std::string& mode,
             const std::string& why);
  /// An ADD was refused.
  void refused(const ipam::Attachment& attachment, const Error& why);

  /// `body`: {"namespace": …, "name": …}. JSON with `verdict` (held, waiting,
  /// refused, released, none), what is held and on what grounds, the last
  /// refusal, and whether an ADD could be served now. Errors: kDecode.
  Result<std::string> explain(std::string_view body) const;

 private:
  using Wall = std::chrono::system_clock::time_point;
  struct Grounds {
    Wall at;
    std::string mode;
    std::string why;
    std::string addresses;
    std::string source;
    bool asked = false;  // for this very address
  };
  struct Refusal {
    Error why;
    std::string container_id;
    std::uint64_t count = 0;
    Wall first;
    Wall last;
  };
  struct Note {
    std::string pod;
    std::map<ipam::AttachmentKey, Grounds> given;
    std::optional<Refusal> refused;
  };

  Note& note_of(const ipam::Pod& pod);
  const Note* find(const std::string& pod) const;
  static Json json_of(const Grounds& grounds);
  static Json json_of(const Refusal& refusal);
  static Json now_json(const rpc::Status& status);
  Json held_by(const std::string& pod, const Note* note) const;
  Json released_by(const Note& note) const;

  DecisionDeps deps_;
  Wall began_;
  std::list<Note> notes_;  // the longest quiet first
  std::map<std::string, std::list<Note>::iterator> by_pod_;
};

}  // namespace linsey::agent
