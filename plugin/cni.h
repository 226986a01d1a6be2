// serve: everything the CNI specification asks around the five verbs, so that
// a plugin is five functions.
//
// The runtime parses stdout as one JSON document and believes the exit code,
// so: decide first, print exactly one document, as the last act, then exit. A
// result that cannot be printed is undone by a DEL. Errors carry cniVersion,
// code, msg and details. A crash must not be silent either: a broken invariant,
// an uncaught exception and a fatal signal print one error document too.
// VERSION never blocks on stdin; a descriptor among 0, 1, 2 that is closed is
// filled with /dev/null, so that no socket of ours takes its number.
#pragma once

#include <string>

#include "base/result.h"
#include "conf/netconf.h"
#include "plugin/call.h"

namespace linsey::plugin {

struct Program {
  const char* about;    // printed when there is no CNI_COMMAND
  conf::Wishes wishes;  // of ADD and CHECK; the others never read them
  Result<std::string> (*add)(const Call&);  // the result document
  Result<void> (*del)(const Call&);
  Result<void> (*check)(const Call&);
  Result<void> (*gc)(const Call&);
  Result<void> (*status)(const Call&);
};

/// Runs one call and returns the exit code of the process.
int serve(const Program& program);

/// The error document of the specification. Texts of a DEL never contain "not
/// found", which containerd takes for success.
std::string error_document(const Error& error, std::string_view version,
                           bool is_del);

/// {"cniVersion": …, "supportedVersions": […]}; the version on stdin is echoed
/// when we speak it.
std::string version_document(std::string_view input);

}  // namespace linsey::plugin
