#pragma once

#include <vector>

namespace belfry::domain {

/// One page of a list: at most the asked number of items, and whether more follow in the direction of travel.
template <class T>
struct Page {
  std::vector<T> items;
  bool has_more = false;
};

/// Cuts the one item more that a repository returned.
template <class T>
Page<T> cut_page(std::vector<T> items, std::size_t limit) {
  Page<T> page{std::move(items), false};
  if (page.items.size() > limit) {
    page.items.resize(limit);
    page.has_more = true;
  }
  return page;
}

}  // namespace belfry::domain
