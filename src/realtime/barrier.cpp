#include "barrier.hpp"

#include <unordered_map>
#include <unordered_set>
#include <utility>

namespace belfry::realtime {

void Barrier::pass(const domain::RoomKey& room, Done done) {
  if (waiting_.size() >= max_waiting_) {
    return done(core::fail(core::Error::unavailable("Too many reads wait. Try again shortly.")));
  }
  waiting_.push_back({room, std::move(done)});
  if (!in_flight_) send();
}

void Barrier::send() {
  asked_ = std::exchange(waiting_, {});
  in_flight_ = true;
  std::unordered_set<domain::RoomKey> rooms;
  for (const auto& waiter : asked_) rooms.insert(waiter.room);
  metrics_.barriers.add();
  reads_.heads({rooms.begin(), rooms.end()}, line_.guard([this](core::Result<Heads> heads) { answer(heads); }));
}

void Barrier::answer(const core::Result<Heads>& heads) {
  auto asked = std::exchange(asked_, {});
  in_flight_ = false;
  // First of all the next one: those who were waiting must not wait for what the answers below start.
  if (!waiting_.empty()) send();
  std::unordered_map<domain::RoomKey, const domain::RoomHead*> found;
  if (heads) {
    for (const auto& head : heads->rooms) found.emplace(head.room, &head);
  }
  for (auto& waiter : asked) {
    const auto head = found.find(waiter.room);
    if (!heads) {
      waiter.done(core::fail(heads.error()));
    } else if (head == found.end()) {
      waiter.done(core::fail(core::Error::not_found("Room not found.")));
    } else {
      waiter.done(Moment{*head->second, heads->access_seq, heads->now, heads->timeline});
    }
  }
}

}  // namespace belfry::realtime
