#include "room_tail.hpp"

#include <algorithm>
#include <utility>
#include <variant>

namespace belfry::realtime {

namespace {

constexpr std::size_t kMaxStretches = 8;
/// A stretch that grows loses its oldest records.
constexpr std::size_t kMaxStretchBytes = std::size_t{4} << 20;
constexpr std::size_t kMaxReplyBytes = std::size_t{1} << 20;

std::size_t size_of(const std::optional<std::string>& text) { return text ? text->size() : 0; }

std::size_t size_of(const domain::EventPayload& payload) {
  if (const auto* message = std::get_if<domain::MessagePayload>(&payload)) {
    const auto& of = message->message;
    return of.body.size() + size_of(of.client_message_id) + size_of(of.author.username) + size_of(of.author.picture);
  }
  std::size_t bytes = 0;
  if (const auto* post = std::get_if<domain::PostPayload>(&payload)) {
    const auto& of = post->post;
    bytes = size_of(of.body_text) + size_of(of.link_url) + size_of(of.chart_payload_json);
    for (const auto& file : of.attachments) {
      bytes += sizeof(file) + file.storage_key.size() + file.file_name.size() + file.mime_type.size();
    }
  }
  return bytes;
}

/// Changes what earlier events of the same entity show.
bool rewrites(domain::EventType type) {
  return type == domain::EventType::kPostDeleted || type == domain::EventType::kMessageDeleted ||
         type == domain::EventType::kMessageRestored;
}

}  // namespace

void RoomTail::Stretch::push(const domain::SharedEvent& event) {
  records.push_back({event, sizeof(domain::Event) + size_of(event->payload)});
  bytes += records.back().bytes;
  while (bytes > kMaxStretchBytes && records.size() > 1) pop_front();
}

void RoomTail::Stretch::pop_front() {
  start.step(*records.front().event);
  bytes -= records.front().bytes;
  records.pop_front();
}

/// How many records come before what follows `since`.
std::optional<std::size_t> RoomTail::Stretch::place_of(const std::optional<core::EventId>& since,
                                                       const core::Uuid& floor) const {
  const auto id_of = [](const Record& record) -> const core::EventId& { return record.event->id; };
  if (!since) {
    // The oldest retained record is here only if what lies in front is cut, or nothing lies there.
    if (start.id && start.id->value >= floor) return std::nullopt;
    return std::ranges::lower_bound(records, core::EventId{floor}, {}, id_of) - records.begin();
  }
  if (since == start.visible) return 0;
  const auto at = std::ranges::lower_bound(records, *since, {}, id_of);
  if (at == records.end() || at->event->id != *since || !at->event->visible()) return std::nullopt;
  return at - records.begin() + 1;
}

std::size_t RoomTail::bytes() const {
  std::size_t bytes = sizeof(RoomTail);
  for (const auto& stretch : stretches_) bytes += sizeof(Stretch) + stretch.bytes;
  return bytes;
}

RoomTail::Grown RoomTail::grow(const domain::SharedEvent& event) {
  auto& head = at_.head;
  if (event->seq <= head.last_seq) return Grown::kKnown;
  if (event->seq != head.last_seq + 1 || event->prev_id != head.last_id) return Grown::kHole;
  if (rewrites(event->type)) return Grown::kRewritten;
  head.last_seq = event->seq;
  head.last_id = event->id;
  if (event->visible()) {
    head.last_visible_id = event->id;
  } else {
    ++head.access_version;
  }
  at_.access_seq = std::max(at_.access_seq, event->access_seq);
  at_.now = std::max(at_.now, event->occurred_at());
  for (auto& stretch : stretches_) {
    if (stretch.to_the_end) stretch.push(event);
  }
  return Grown::kYes;
}

void RoomTail::add(const std::optional<core::EventId>& since, const std::vector<domain::SharedEvent>& events,
                   bool to_the_end) {
  Stretch stretch;
  stretch.to_the_end = to_the_end;
  if (events.empty()) {
    if (!to_the_end) return;
    stretch.start = Position::of(at_.head);
  } else {
    const auto& first = *events.front();
    stretch.start = {first.seq - 1, first.prev_id, first.prev_visible_id};
    // What is in front of the first record must be what was asked for, or the log has another history.
    if (since && first.prev_id != since) return;
    std::int64_t seq = stretch.start.seq;
    for (const auto& event : events) {
      if (event->seq != ++seq) return;
      stretch.push(event);
    }
  }
  insert(std::move(stretch));
}

void RoomTail::insert(Stretch stretch) {
  const auto within = [](const Stretch& inner, const Stretch& outer) {
    return inner.start.seq >= outer.start.seq && inner.last_seq() <= outer.last_seq();
  };
  if (std::ranges::any_of(stretches_, [&](const Stretch& known) { return within(stretch, known); })) return;
  std::erase_if(stretches_, [&](const Stretch& known) { return within(known, stretch); });
  // Never the one that reaches the end, which most ask for; there is one at most.
  if (stretches_.size() >= kMaxStretches) stretches_.erase(std::ranges::find(stretches_, false, &Stretch::to_the_end));
  stretches_.push_back(std::move(stretch));
}

void RoomTail::merge(RoomTail other) {
  for (auto& stretch : other.stretches_) insert(std::move(stretch));
}

std::vector<domain::SharedEvent> RoomTail::continuation(const RoomTail& other) const {
  std::vector<domain::SharedEvent> events;
  for (const auto& stretch : other.stretches_) {
    if (!stretch.to_the_end || stretch.start.seq > at_.head.last_seq) continue;
    for (const auto& record : stretch.records) {
      if (record.event->seq > at_.head.last_seq) events.push_back(record.event);
    }
    break;
  }
  return events;
}

std::optional<domain::LogPage> RoomTail::slice(const std::optional<core::EventId>& since, std::int32_t limit,
                                               const core::Uuid& floor) const {
  std::optional<domain::LogPage> longest;
  for (const auto& stretch : stretches_) {
    const auto from = stretch.place_of(since, floor);
    if (!from) continue;
    auto page = cut(stretch, *from, limit, floor);
    if (page && (!longest || page->events.size() > longest->events.size())) longest = std::move(page);
  }
  return longest;
}

std::optional<domain::LogPage> RoomTail::cut(const Stretch& stretch, std::size_t from, std::int32_t limit,
                                             const core::Uuid& floor) const {
  domain::LogPage page;
  page.head = at_.head;
  std::size_t bytes = 0;
  for (std::size_t i = from; i < stretch.records.size(); ++i) {
    const Record& record = stretch.records[i];
    if (!record.event->visible()) continue;
    // What follows directly must not be cut already: that would be a gap.
    if (page.events.empty() && record.event->id.value < floor) return std::nullopt;
    bytes += record.bytes;
    const bool full = std::ssize(page.events) >= limit || (!page.events.empty() && bytes > kMaxReplyBytes);
    if (full) {
      page.has_more = true;
      return page;
    }
    page.events.push_back(record.event);
  }
  if (stretch.to_the_end) return page;
  if (page.events.empty()) return std::nullopt;
  page.has_more = page.events.back()->id != at_.head.last_visible_id;
  return page;
}

bool RoomTail::covers(const std::optional<core::EventId>& since) const {
  return since && std::ranges::any_of(stretches_, [&](const Stretch& stretch) {
           const bool after_start = !stretch.start.id || *stretch.start.id < *since;
           return after_start && stretch.to_the_end;
         });
}

}  // namespace belfry::realtime
