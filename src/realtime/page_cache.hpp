#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "belfry/telemetry/metrics.hpp"
#include "byte_budget.hpp"
#include "lifeline.hpp"
#include "reader_reads.hpp"

namespace belfry::realtime {

/// Encoded pages as of the snapshot each was read in, and the one read in flight for each. Says nothing about who may
/// see them or whether they are new enough. I/O thread only.
class PageCache {
 public:
  using Found = std::shared_ptr<const LoadedPage>;
  /// Null: it could not be read.
  using Done = std::move_only_function<void(Found)>;

  PageCache(ReaderReads& reads, ByteBudget& budget, telemetry::Metrics& metrics)
      : reads_(reads), budget_(budget), metrics_(metrics) {}

  Found find(const domain::RoomKey& room, const std::string& name);
  /// What is read may be older than the call: another's read may be in flight already.
  void load(const domain::RoomKey& room, const std::string& name, domain::RoomReader::Load load, Done done);
  void clear();

 private:
  using Key = std::pair<domain::RoomKey, std::string>;
  struct Entry {
    Found page;
    std::size_t bytes;
    ByteBudget::Share share;
  };
  void answer(const Key& key, std::uint64_t epoch, core::Result<LoadedPage> page);
  void keep(const Key& key, const Found& page);

  ReaderReads& reads_;
  ByteBudget& budget_;
  telemetry::Metrics& metrics_;
  std::map<Key, Entry> entries_;
  std::map<Key, std::vector<Done>> loading_;
  std::uint64_t epoch_ = 0;
  Lifeline line_;
};

}  // namespace belfry::realtime
