// FakeApi: the simulated API server (lab/api) with Linsey's three types as
// if built in, without schema: for tests whose objects are made of what the
// test is about. tests/contract and the lab use the shipped definitions.
// Thread: any.
#pragma once

#include "lab/api/server.h"

namespace linsey::tests {

class FakeApi : public lab::api::Server {
 public:
  using Fault = lab::api::Fault;
  using Call = lab::api::CallRecord;

  FakeApi();
};

}  // namespace linsey::tests
