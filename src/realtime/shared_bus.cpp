#include "belfry/realtime/shared_bus.hpp"

#include <set>
#include <unordered_map>
#include <utility>

namespace belfry::realtime {

class SharedBus::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(domain::Bus& bus, Poster home, std::vector<Poster> hubs) : bus_(bus), home_(std::move(home)) {
    for (std::size_t i = 0; i < hubs.size(); ++i)
      ports_.push_back(std::make_unique<Port>(*this, i, std::move(hubs[i])));
  }

  void listen() {
    bus_.on_hint([weak = weak_from_this()](const std::optional<domain::LogHint>& hint) {
      if (const auto self = weak.lock()) self->tell(hint);
    });
  }
  domain::Bus& port(std::size_t hub) { return *ports_[hub]; }

 private:
  /// What hubs wish goes home in order, so that a room that is left and joined again ends as followed.
  class Port final : public domain::Bus {
   public:
    Port(Impl& shared, std::size_t hub, Poster poster) : shared_(shared), hub_(hub), poster_(std::move(poster)) {}

    void publish(const domain::CommitNotice& notice) override { shared_.bus_.publish(notice); }
    void follow(const domain::RoomKey& room, Ready ready) override {
      shared_.home_([weak = shared_.weak_from_this(), hub = hub_, room, ready = std::move(ready)]() mutable {
        if (const auto shared = weak.lock()) shared->follow(hub, room, std::move(ready));
      });
    }
    void unfollow(const domain::RoomKey& room) override {
      shared_.home_([weak = shared_.weak_from_this(), hub = hub_, room] {
        if (const auto shared = weak.lock()) shared->unfollow(hub, room);
      });
    }
    void on_hint(std::function<void(std::optional<domain::LogHint>)> hint) override {
      hint_ = std::make_shared<const Hint>(std::move(hint));
    }
    void start() override {}
    void stop() override {}

    void answer(Ready ready) const { poster_(std::move(ready)); }
    void tell(const std::optional<domain::LogHint>& hint) const {
      if (hint_) poster_([to = hint_, hint] { (*to)(hint); });
    }

   private:
    using Hint = std::function<void(std::optional<domain::LogHint>)>;
    Impl& shared_;
    std::size_t hub_;
    Poster poster_;
    std::shared_ptr<const Hint> hint_;  ///< set before the bus starts
  };

  /// Held by its place in the table alone: an answer of the bus that comes after everybody left finds it gone.
  struct Room {
    bool taken = false;  ///< the bus has answered
    std::set<std::size_t> hubs;
    std::vector<std::pair<std::size_t, domain::Bus::Ready>> waiting;
  };

  void follow(std::size_t hub, const domain::RoomKey& key, domain::Bus::Ready ready) {
    auto& room = rooms_[key];
    const bool first = !room;
    if (first) room = std::make_shared<Room>();
    room->hubs.insert(hub);
    if (room->taken) return ports_[hub]->answer(std::move(ready));
    room->waiting.emplace_back(hub, std::move(ready));
    if (!first) return;
    bus_.follow(key, [weak_self = weak_from_this(), weak_room = std::weak_ptr(room)] {
      const auto self = weak_self.lock();
      if (const auto asked = weak_room.lock(); self && asked) self->taken(*asked);
    });
  }

  void taken(Room& room) {
    room.taken = true;
    for (auto& [hub, ready] : std::exchange(room.waiting, {})) ports_[hub]->answer(std::move(ready));
  }

  void unfollow(std::size_t hub, const domain::RoomKey& key) {
    const auto room = rooms_.find(key);
    if (room == rooms_.end() || room->second->hubs.erase(hub) == 0 || !room->second->hubs.empty()) return;
    rooms_.erase(room);
    bus_.unfollow(key);
  }

  void tell(const std::optional<domain::LogHint>& hint) const {
    if (!hint || hint->room == domain::kAccessLog) {
      for (const auto& port : ports_) port->tell(hint);
    } else if (const auto room = rooms_.find(hint->room); room != rooms_.end()) {
      for (const auto hub : room->second->hubs) ports_[hub]->tell(hint);
    }
  }

  domain::Bus& bus_;
  Poster home_;
  std::vector<std::unique_ptr<Port>> ports_;
  std::unordered_map<domain::RoomKey, std::shared_ptr<Room>> rooms_;
};

SharedBus::SharedBus(domain::Bus& bus, Poster home, std::vector<Poster> hubs)
    : impl_(std::make_shared<Impl>(bus, std::move(home), std::move(hubs))) {
  impl_->listen();
}

SharedBus::~SharedBus() = default;

domain::Bus& SharedBus::port(std::size_t hub) { return impl_->port(hub); }

}  // namespace belfry::realtime
