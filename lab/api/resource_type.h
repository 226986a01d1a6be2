// ResourceType: what the server must know of a kind of object to treat it as
// the real one does. Built-in kinds are a table; custom ones come from the
// CustomResourceDefinition objects that a client creates.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "lab/api/types.h"

namespace linsey::lab::api {

struct ResourceType {
  std::string group;
  std::string version;
  std::string plural;
  std::string kind;
  bool namespaced = false;
  bool status = false;  // has a status subresource
  /// A PUT must name the resourceVersion.
  bool needs_version = false;
  bool create_on_update = false;
  bool custom = false;
  /// openAPIV3Schema of a custom type; null: any content.
  Json schema;
  std::vector<std::string> fields;  // selectable, beside metadata.name

  std::string api_version() const {
    return group.empty() ? version : group + "/" + version;
  }
  std::string path() const {
    return (group.empty() ? "/api/" : "/apis/" + group + "/") + version + "/" +
           plural;
  }
};

/// What a request's path names.
struct Target {
  const ResourceType* type = nullptr;
  std::string name_space;
  std::string name;  // empty: the collection
  std::string subresource;
};

class ResourceTypes {
 public:
  /// The built-in ones.
  ResourceTypes();

  void add(ResourceType type);
  /// Takes up, or forgets, what a CustomResourceDefinition describes.
  void define(const Json& crd);
  void forget(const Json& crd);
  /// Errors: kApiNotFound as the real server words it.
  Result<Target> find(const std::string& path) const;

 private:
  std::map<std::string, ResourceType> types_;  // by path
};

}  // namespace linsey::lab::api
