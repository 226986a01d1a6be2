// Selection: label and field selectors of a list or a watch.
#pragma once

#include <string>
#include <vector>

#include "conf/selector.h"
#include "lab/api/resource_type.h"
#include "lab/api/types.h"

namespace linsey::lab::api {

class Selection {
 public:
  /// Errors: kApiInvalid (400): a label selector that cannot be read, a field
  /// that the type does not offer.
  static Result<Selection> read(const ResourceType& type, const Call& call);

  bool matches(const Json& object) const;

 private:
  struct Term {
    std::string field;
    std::string value;
    bool equal = true;
  };
  static Result<std::vector<Term>> read_fields(const ResourceType& type,
                                               const std::string& text);

  conf::Selector labels_;
  std::vector<Term> fields_;
};

}  // namespace linsey::lab::api
