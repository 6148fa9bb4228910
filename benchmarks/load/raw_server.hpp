#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace bench {

class Arguments;

/// The floor: an epoll loop that sends what one publisher gives it to all sockets of a room and does nothing else.
/// `--mode direct`: one send per frame and socket. `--mode batch`: one per socket and turn. Prints its port.
void run_raw_server(Arguments& arguments);

void put_raw_record(std::string& into, std::uint32_t room, std::string_view frame);

}  // namespace bench
