#pragma once

#include <expected>
#include <string>

#include "app/dev/folder.hpp"
#include "belfry/core/ids.hpp"
#include "belfry/domain/actor.hpp"

namespace belfry::app::dev {

/// The people of the demo. Their ids are fixed, so a token of yesterday still fits.
domain::Actor keeper();  ///< admin
domain::Actor member();  ///< holds the gated channel's key and the feature of its discussion
domain::Actor lapsed();  ///< joined the gated channel, then lost the key
domain::Actor banned();  ///< may read the open channel, not its discussion

/// Where the demo's things are, for the commands to try.
struct Demo {
  core::ChannelId open;
  core::ChannelId gated;
  core::ChannelId unlisted;
  core::ChannelId archived;
};

/// Writes the demo through the services, as clients would have; doing it again changes nothing. An Error is a line.
std::expected<Demo, std::string> seed(const std::string& database_url, const Say& say);

std::string encode(const Demo& demo);
std::optional<Demo> decode(const std::string& text);

}  // namespace belfry::app::dev
