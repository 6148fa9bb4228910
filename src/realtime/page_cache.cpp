#include "page_cache.hpp"

namespace belfry::realtime {

namespace {

/// A page that takes more is handed to those who wait for it and not kept.
constexpr std::size_t kLargestPage = std::size_t{1} << 20;
/// Of an entry besides its bytes, roughly.
constexpr std::size_t kOverhead = 512;

std::size_t size_of(const LoadedPage& page, const std::string& name) {
  return page.bytes->bytes() + name.size() + kOverhead;
}

}  // namespace

PageCache::Found PageCache::find(const domain::RoomKey& room, const std::string& name) {
  const auto found = entries_.find({room, name});
  if (found == entries_.end()) return nullptr;
  auto& entry = found->second;
  entry.share.touch();
  const auto page = entry.page;
  // Its packed form may have come since.
  if (const auto bytes = size_of(*page, name); bytes != entry.bytes) {
    entry.bytes = bytes;
    entry.share.resize(bytes);
    budget_.trim();
  }
  return page;
}

void PageCache::load(const domain::RoomKey& room, const std::string& name, domain::RoomReader::Load load, Done done) {
  const Key key{room, name};
  auto& waiting = loading_[key];
  waiting.push_back(std::move(done));
  if (waiting.size() > 1) return;
  metrics_.page_loads.add();
  reads_.page(room, std::move(load), line_.guard([this, key, epoch = epoch_](core::Result<LoadedPage> page) {
    answer(key, epoch, std::move(page));
  }));
}

void PageCache::answer(const Key& key, std::uint64_t epoch, core::Result<LoadedPage> page) {
  auto waiting = loading_.extract(key);
  Found found;
  if (page && epoch == epoch_) {
    found = std::make_shared<const LoadedPage>(std::move(*page));
    keep(key, found);
  }
  for (auto& done : waiting.mapped()) done(found);
}

void PageCache::keep(const Key& key, const Found& page) {
  const std::size_t bytes = size_of(*page, key.second);
  entries_.erase(key);
  if (bytes > kLargestPage) return;
  entries_.emplace(key, Entry{page, bytes, ByteBudget::Share(budget_, bytes, [this, key] { entries_.erase(key); })});
  budget_.trim();
}

void PageCache::clear() {
  ++epoch_;
  entries_.clear();
}

}  // namespace belfry::realtime
