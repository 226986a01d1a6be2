// The bundled loopback plugin, which is this program under that name.
// containerd calls it for every pod, at 0.3.1 and in parallel with our ADD; a
// failing DEL of it would keep a pod's address from being given back, so it
// asks nobody and knows no agent.
#pragma once

#include "plugin/cni.h"

namespace linsey::plugin {

const Program& loopback_program();

}  // namespace linsey::plugin
