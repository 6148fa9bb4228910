#include "app/dev/seed.hpp"

#include <sstream>

#include "app/dev/jobs.hpp"
#include "belfry/auth/authenticator.hpp"
#include "belfry/domain/channels.hpp"
#include "belfry/domain/discussions.hpp"
#include "belfry/domain/membership.hpp"
#include "belfry/domain/moderation.hpp"
#include "belfry/domain/posts.hpp"
#include "belfry/domain/subjects.hpp"

namespace belfry::app::dev {
namespace {

using core::ChannelId;
using core::Result;
using domain::Actor;
using domain::UnitOfWork;

constexpr std::string_view kGateKey = "night.watch";
constexpr std::string_view kTalkKey = "night.talk";

Actor person(domain::ActorType type, std::string_view id, std::string name) {
  return {
      .type = type, .id = core::UserId{*core::Uuid::parse(id)}, .username = std::move(name), .picture = std::nullopt};
}

/// Makes a step that was done before give its first answer again.
domain::IdempotencyKey once(std::string key) {
  auto hash = auth::sha256(key);
  return {.caller = keeper().id, .path = "belfry dev", .key = std::move(key), .hash = std::move(hash)};
}

class Seeder {
 public:
  Seeder(Jobs& jobs, const Say& say) : jobs_(jobs), say_(say) {}

  Demo run() {
    say_("writing the demo: channels");
    demo_.open = channel("Harbour notices", "Tides, closures and the odd seal. Open to everybody.", {});
    demo_.gated = channel("Night watch", "Reports from the tower, for members.", [](domain::CreateChannel& command) {
      command.access_policy = domain::AccessPolicy::kExternalGated;
      command.entitlement_key = kGateKey;
    });
    demo_.unlisted = channel("Bell founders", "Not listed; readable by whoever knows the number.",
                             [](domain::CreateChannel& command) { command.visibility = domain::Visibility::kPrivate; });
    demo_.archived = channel("Regatta 2025", "Kept for reading.", {});
    say_("writing the demo: posts");
    write_open_posts();
    post(demo_.gated, "watch-1", "Two lights seen north of the breakwater at 02:10, both answered.");
    post(demo_.unlisted, "founders-1", "The new bell is cast; it rings a quarter tone below the old one.");
    post(demo_.archived, "regatta-1", "Results are final. Thank you all.");
    say_("writing the demo: people");
    write_people();
    say_("writing the demo: discussions");
    write_discussions();
    archive();
    return demo_;
  }

 private:
  ChannelId channel(const std::string& title, const std::string& description,
                    const std::function<void(domain::CreateChannel&)>& adjust) {
    domain::CreateChannel command;
    command.status = domain::ChannelStatus::kActive;
    command.title = title;
    command.description = description;
    command.idempotency = once("channel " + title);
    if (adjust) adjust(command);
    return jobs_
        .write<domain::Channel>(keeper(),
                                [command](UnitOfWork& work) { return domain::create_channel(work, keeper(), command); })
        .id;
  }

  core::PostId post(domain::CreatePost command, const std::string& name) {
    command.idempotency = once("post " + name);
    return jobs_
        .write<domain::Post>(keeper(),
                             [command](UnitOfWork& work) { return domain::create_post(work, keeper(), command); })
        .id;
  }

  core::PostId post(ChannelId channel_id, const std::string& name, const std::string& text) {
    domain::CreatePost command;
    command.channel_id = channel_id;
    command.body_text = text;
    return post(std::move(command), name);
  }

  void write_open_posts() {
    const auto pinned = post(demo_.open, "open-text", "The harbour opens at 06:00. Keep to channel 12 on the radio.");
    domain::CreatePost link;
    link.channel_id = demo_.open;
    link.type = domain::PostType::kLink;
    link.body_text = "This week's tide table";
    link.link_url = "https://example.org/tides";
    post(link, "open-link");
    domain::CreatePost chart;
    chart.channel_id = demo_.open;
    chart.type = domain::PostType::kChart;
    chart.chart_payload_json = R"({"title":"Water level","unit":"cm","points":[[0,112],[6,478],[12,120],[18,465]]})";
    post(chart, "open-chart");
    domain::CreatePost media;
    media.channel_id = demo_.open;
    media.type = domain::PostType::kMedia;
    media.body_text = "The seal is back.";
    media.attachments.push_back({.id = {},
                                 .storage_key = "demo/seal.jpg",
                                 .file_name = "seal.jpg",
                                 .mime_type = "image/jpeg",
                                 .size_bytes = 48213,
                                 .display_order = 0});
    post(media, "open-media");
    const auto mistaken = post(demo_.open, "open-deleted", "Closed on Sunday. (Taken back: it is not.)");
    jobs_.write<domain::Post>(keeper(),
                              [mistaken](UnitOfWork& work) { return domain::delete_post(work, keeper(), mistaken); });
    jobs_.write<domain::Post>(keeper(),
                              [pinned](UnitOfWork& work) { return domain::pin_post(work, keeper(), pinned, true); });
  }

  void grant(const Actor& user, domain::GrantKind kind, std::string_view key) {
    const domain::Grant grant{
        .kind = kind, .key = std::string(key), .valid_from = std::nullopt, .valid_until = std::nullopt};
    jobs_.write<domain::Grant>(
        keeper(), [id = user.id, grant](UnitOfWork& work) { return domain::set_grant(work, keeper(), id, grant); });
  }

  void join(const Actor& user, ChannelId channel_id) {
    jobs_.write<domain::Membership>(
        user, [user, channel_id](UnitOfWork& work) { return domain::join_channel(work, user, channel_id); });
  }

  void write_people() {
    grant(member(), domain::GrantKind::kEntitlement, kGateKey);
    grant(member(), domain::GrantKind::kFeature, kTalkKey);
    join(member(), demo_.gated);
    join(member(), demo_.open);
    grant(lapsed(), domain::GrantKind::kEntitlement, kGateKey);
    join(lapsed(), demo_.gated);
    jobs_.write_nothing(keeper(), [](UnitOfWork& work) {
      return domain::revoke_grant(work, keeper(), lapsed().id, domain::GrantKind::kEntitlement, std::string(kGateKey));
    });
    join(banned(), demo_.open);
  }

  void discussion(domain::PutDiscussion command) {
    jobs_.write<domain::Discussion>(
        keeper(), [command](UnitOfWork& work) { return domain::put_discussion(work, keeper(), command); });
  }

  void message(const Actor& author, ChannelId channel_id, const std::string& name, const std::string& body) {
    jobs_.create_message({.actor = author,
                          .channel_id = channel_id,
                          .body = body,
                          .client_message_id = "demo-" + name,
                          .idempotency = std::nullopt});
  }

  void write_discussions() {
    domain::PutDiscussion talk;
    talk.channel_id = demo_.open;
    talk.title = "Harbour talk";
    discussion(talk);
    message(lapsed(), demo_.open, "hello", "Good morning. Is the fuel quay open yet?");
    message(keeper(), demo_.open, "answer", "From seven on.");
    message(banned(), demo_.open, "noise", "SELLING ANCHORS CHEAP");
    jobs_.write<domain::Sanction>(keeper(), [channel_id = demo_.open](UnitOfWork& work) {
      const domain::Sanctioning ban{.kind = domain::SanctionKind::kBan,
                                    .channel_id = channel_id,
                                    .user_id = banned().id,
                                    .reason = "advertising",
                                    .until = std::nullopt};
      return domain::set_sanction(work, keeper(), ban);
    });
    // Last, so that the demo's own messages did not have to wait.
    talk.slow_mode_enabled = true;
    talk.slow_mode_interval_seconds = 5;
    discussion(talk);
    domain::PutDiscussion night;
    night.channel_id = demo_.gated;
    night.title = "Tower talk";
    night.required_feature_key = std::string(kTalkKey);
    discussion(night);
    message(member(), demo_.gated, "night", "Wind is rising; second lamp lit.");
  }

  void archive() {
    domain::UpdateChannel command;
    command.id = demo_.archived;
    command.status = domain::ChannelStatus::kArchived;
    jobs_.write<domain::Channel>(
        keeper(), [command](UnitOfWork& work) { return domain::update_channel(work, keeper(), command); });
  }

  Jobs& jobs_;
  const Say& say_;
  Demo demo_;
};

}  // namespace

Actor keeper() { return person(domain::ActorType::kAdmin, "00000000-0000-4000-8000-0000000000a1", "Ada"); }
Actor member() { return person(domain::ActorType::kUser, "00000000-0000-4000-8000-0000000000b1", "Mira"); }
Actor lapsed() { return person(domain::ActorType::kUser, "00000000-0000-4000-8000-0000000000b2", "Tomas"); }
Actor banned() { return person(domain::ActorType::kUser, "00000000-0000-4000-8000-0000000000b3", "Rolf"); }

std::expected<Demo, std::string> seed(const std::string& database_url, const Say& say) {
  try {
    Jobs jobs(database_url);
    return Seeder(jobs, say).run();
  } catch (const Jobs::JobFailed& failure) {
    return std::unexpected(std::string("the demo could not be written: ") + failure.what());
  }
}

std::string encode(const Demo& demo) {
  std::ostringstream out;
  out << demo.open.value << ' ' << demo.gated.value << ' ' << demo.unlisted.value << ' ' << demo.archived.value << '\n';
  return out.str();
}

std::optional<Demo> decode(const std::string& text) {
  std::istringstream in(text);
  Demo demo;
  in >> demo.open.value >> demo.gated.value >> demo.unlisted.value >> demo.archived.value;
  if (!in) return std::nullopt;
  return demo;
}

}  // namespace belfry::app::dev
