#include "belfry/realtime/hub.hpp"

#include <utility>

#include "hub_core.hpp"

namespace belfry::realtime {

class Hub::Impl : public HubCore {
 public:
  using HubCore::HubCore;
};

Hub::Hub(HubOptions options, domain::Database& database, runtime::Wheel& wheel, const core::Clock& clock,
         telemetry::Metrics& metrics)
    : impl_(std::make_shared<Impl>(std::move(options), make_database_reads(database), wheel, clock, metrics)) {
  impl_->hook_turn_end();
}

Hub::~Hub() { impl_->stop(); }

void Hub::start() { impl_->start(); }
bool Hub::started() const { return impl_->started(); }
void Hub::stop() { impl_->stop(); }

void Hub::join(Subscriber& subscriber, const domain::RoomTarget& target,
               std::move_only_function<void(core::Result<Joined>)> done) {
  impl_->join(subscriber, target, std::move(done));
}

void Hub::leave(Subscriber& subscriber, const domain::RoomKey& room) { impl_->leave(subscriber, room); }
void Hub::remove(Subscriber& subscriber) { impl_->remove(subscriber); }
void Hub::drained(Subscriber& subscriber) { impl_->drained(subscriber); }
bool Hub::has_expired(Subscriber& subscriber) const { return impl_->has_expired(subscriber); }
void Hub::actor_changed(Subscriber& subscriber) { impl_->actor_changed(subscriber); }
void Hub::on_commit(const domain::CommitNotice& notice) { impl_->on_commit(notice); }
void Hub::on_hint(const std::optional<domain::LogHint>& hint) { impl_->on_hint(hint); }
void Hub::on_database_restored() { impl_->on_database_restored(); }
void Hub::observe(HubObserver* observer) { impl_->observe(observer); }
void Hub::want_access(std::int64_t seq) { impl_->want_access(seq); }
Hub::Counts Hub::counts() const { return impl_->counts(); }

}  // namespace belfry::realtime
