#include "storage/head_row.hpp"
#include "storage/tables/channel_row.hpp"
#include "storage/tables/thread_row.hpp"
#include "storage/unit_of_work.hpp"

namespace belfry::storage {
namespace {

constexpr Statement kPlaces{
    "places", "SELECT " HEAD_COLUMNS ", c.id IS NOT NULL, " CHANNEL_COLUMNS ", t.id IS NOT NULL, " THREAD_COLUMNS R"sql(
  FROM unnest($1::smallint[], $2::bigint[]) AS asked (kind, key)
  JOIN room_log r ON r.kind = asked.kind AND r.key = asked.key
  LEFT JOIN threads t ON r.kind = 2 AND t.id = r.key AND t.kind = 0
  LEFT JOIN channels c ON c.id = CASE r.kind WHEN 1 THEN r.key WHEN 2 THEN t.channel_id END
)sql"};

}  // namespace

std::vector<domain::RoomPlace> PgUnitOfWork::places(std::span<const domain::RoomKey> rooms) {
  using domain::RoomKey;
  const auto rows = session_.run(kPlaces, to_sql_array(rooms, [](const RoomKey& room) { return room.kind; }),
                                 to_sql_array(rooms, [](const RoomKey& room) { return room.key; }));
  std::vector<domain::RoomPlace> places;
  places.reserve(rows.size());
  for (const auto& row : rows) {
    RowReader reader(row);
    auto& place = places.emplace_back();
    place.head = read_head(reader);
    if (reader.next<bool>()) {
      place.channel = read_channel(reader);
    } else {
      reader.skip(kChannelColumns);
    }
    if (reader.next<bool>()) place.discussion = read_discussion(reader);
  }
  return places;
}

}  // namespace belfry::storage
