// A table for people: columns as wide as their widest cell, two blanks apart,
// "-" for what is empty, nothing trailing.
#pragma once

#include <string>
#include <vector>

namespace linsey::ctl {

class Table {
 public:
  explicit Table(std::vector<std::string> head) : rows_{std::move(head)} {}

  /// A row shorter than the head is filled up with "-".
  void add(std::vector<std::string> row);
  bool empty() const { return rows_.size() == 1; }
  /// Every line ends in a newline.
  std::string text() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace linsey::ctl
