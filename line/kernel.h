// The guard's objects in the kernel: made, changed by difference, read,
// removed.
//
// What others have on a NIC is never changed or replaced. A clsact of theirs is
// joined behind their filters; an `ingress` qdisc of theirs is joined for down,
// and up then needs a classful root. Where there is no place, or a filter of
// theirs would come behind ours, that direction stays unlimited and the report
// says so (kLineQdiscConflict). What we made is written down in the alias of
// the ifb itself, before it is made: it lives and dies with the kernel's state
// and needs no file. Trees stand before anything is led to them, and what leads
// there is taken away first. Thread: any one.
#pragma once

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "line/plan.h"
#include "netlink/socket.h"

namespace linsey::line {

struct Report {
  std::vector<std::string> nics;  // names of those that are guarded
  std::vector<Error> conflicts;   // kLineQdiscConflict, by NIC and direction
  std::size_t changes = 0;        // requests that were sent
};

/// Makes the kernel hold `plan`. `line` says which links are NICs. Errors: as
/// Socket::run; what was done stands, and another call goes on from there.
/// Cost: a few dumps; a request for each object that differs.
Result<Report> apply(netlink::Socket& socket, const conf::Line& line,
                     const Plan& plan);

/// Takes away all that apply() ever made. Nothing there: nothing is done, one
/// look-up. Errors: as Socket::run.
Result<void> remove_all(netlink::Socket& socket);

/// The kind of queue that leaves get: fq_codel where the kernel has it, else
/// bfifo. Asks the kernel by trying, on a link of ours.
Result<std::string> leaf_queue(netlink::Socket& socket);

/// The numbers that an earlier agent gave. Pods' classes come with them.
Result<Numbers> recover_numbers(netlink::Socket& socket);

/// Of each class of both trees; empty where there is none.
Result<std::array<std::vector<netlink::HtbClass>, 2>> read_classes(
    netlink::Socket& socket);

}  // namespace linsey::line
