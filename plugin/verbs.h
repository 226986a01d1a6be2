// The steps that the verbs of plugin/main.cpp are told in.
#pragma once

#include "base/result.h"
#include "datapath/plan.h"
#include "datapath/wire.h"
#include "plugin/call.h"
#include "plugin/result.h"
#include "rpc/client.h"

namespace linsey::plugin {

/// The agent of this call: it is waited for as long as the configuration says.
rpc::Client agent_for_add(const Call& call);
/// Not waited for: a note does as well.
rpc::Client agent_for_del(const Call& call);
/// Answers, or does not, within 200 ms: runtimes ask every few seconds under a
/// lock.
rpc::Client agent_for_status(const Call& call);

/// What the agent holds for this call: read from its file, else asked for.
/// Errors: kUnknownAttachment; kAgentDown.
Result<ipam::Held> held_of(const Call& call);

/// What to tell the runtime of an attachment that was made, merged behind what
/// plugins before us made. Errors: those of format_result.
Result<std::string> make_result(const datapath::Plan& plan, const Call& call,
                                const std::optional<CniResult>& previous);
/// prevResult, if there is one; looked at before anything is made. Errors:
/// kDecode, and kUnsupportedField of an ADD that could not be merged with it.
Result<std::optional<CniResult>> previous_result(const Call& call);

/// Another sandbox's link of the same pod had to go: its address is given back
/// as by its own DEL. Failures are logged; reconciliation finds the rest.
void release_displaced(rpc::Client& agent, const Call& call,
                       const std::string& alias);

/// DEL without the agent: removes the link, then leaves a note. Errors: what
/// kept either from being done; the runtime then tries again.
Result<void> release_alone(const Call& call, const ipam::Pod& pod);

/// The STATUS error for a reason: 51 where pods that run suffer too, else 50.
Error not_available(const Error& why);

}  // namespace linsey::plugin
