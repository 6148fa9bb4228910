#include "belfry/runtime/drive.hpp"

#include <boost/asio/basic_waitable_timer.hpp>

namespace belfry::runtime {
namespace {

constexpr auto kTick = std::chrono::milliseconds(50);
using SteadyTimer = boost::asio::basic_waitable_timer<Wheel::Clock, boost::asio::wait_traits<Wheel::Clock>, Executor>;

}  // namespace

struct WheelDriver::Impl : std::enable_shared_from_this<Impl> {
  Wheel& wheel;
  SteadyTimer timer;
  bool stopped = false;

  Impl(Loop& loop, Wheel& w) : wheel(w), timer(loop.context().get_executor()) {}

  // Arms itself before it advances, so that a callback that throws does not stop the clock.
  void arm() {
    timer.expires_after(kTick);
    timer.async_wait([self = shared_from_this()](const boost::system::error_code& error) {
      if (error || self->stopped) return;
      self->arm();
      self->wheel.advance(Wheel::Clock::now());
    });
  }
};

WheelDriver::WheelDriver(Loop& loop, Wheel& wheel) : impl_(std::make_shared<Impl>(loop, wheel)) { impl_->arm(); }

WheelDriver::~WheelDriver() {
  impl_->stopped = true;
  impl_->timer.cancel();
}

}  // namespace belfry::runtime
