// Party: the API server that the contract suite speaks to.
//
// Without LINSEY_CONTRACT_KUBECONFIG it is the simulated one (lab/api); with
// it, the real one that the kubeconfig names, and the suite must not know the
// difference: what it does, it does through kube::Client and kube::Transport.
// The shipped definitions, rights and policies are applied first. Objects are
// named so that an empty cluster is not needed, but a throw-away one is wise.
#pragma once

#include <memory>
#include <string>

#include "base/clock.h"
#include "kube/client.h"
#include "kube/transport.h"
#include "lab/api/server.h"

namespace linsey::contract {

inline const std::string kNamespace = "linsey-contract";
inline const std::string kPool = "contract";

class Party {
 public:
  /// Made, and made ready, at first use.
  static Party& get();

  /// As an administrator.
  std::unique_ptr<kube::Transport> connect();
  std::unique_ptr<kube::Transport> connect_as(const std::string& token);
  /// A token of linsey-agent bound to a pod on `node`; node, pod and account
  /// are made.
  std::string agent_token(const std::string& node);
  /// A token of linsey-agent that is bound to nothing.
  std::string unbound_token();

 private:
  Party();
  void make_ready();
  void wait_for_policies();
  std::string token_of(const std::string& pod);

  SteadyClock clock_;
  std::unique_ptr<lab::api::Server> simulator_;
  kube::Endpoint real_;
  std::unique_ptr<kube::Transport> transport_;
};

/// A reply's JSON past the client, for what the client does not do.
Json ask(kube::Transport& transport, const kube::Request& request);

/// Objects to begin with.
Json config_map(const std::string& name, const Json& labels = Json::object());
Json pool(const std::string& name, const std::string& cidr);
/// 198.18.x.y/26, the `number`th.
Json block(unsigned number, const std::string& node);
std::string block_name(unsigned number);
Json node(const std::string& name);
Json pod(const std::string& name, const std::string& node);

/// Each test in a fresh connection; the objects it names are gone afterwards.
class Fixture {
 public:
  Fixture() : transport_(Party::get().connect()), client_(*transport_) {}

 protected:
  void forget(const kube::Resource& type, const std::string& ns,
              const std::string& name);
  std::string own(const std::string& name) const { return "c-" + name; }

  std::unique_ptr<kube::Transport> transport_;
  kube::Client client_;
};

}  // namespace linsey::contract
