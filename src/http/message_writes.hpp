#pragma once

#include "belfry/wire/json.hpp"
#include "http/exchange.hpp"

namespace belfry::http {

/// POST of a message by whoever the caller is: users and admins write by the same command.
void create_message(const ExchangePtr& exchange, wire::MessageView view);

using EditService = Result<domain::Message> (*)(UnitOfWork&, const domain::Actor&, core::MessageId, const std::string&);
void edit_message(const ExchangePtr& exchange, EditService service, wire::MessageView view);

using MessageService = Result<domain::Message> (*)(UnitOfWork&, const domain::Actor&, core::MessageId);
/// Deleting and restoring: a message by its id, without a body.
void change_message(const ExchangePtr& exchange, std::string_view job, std::string_view message, MessageService service,
                    wire::MessageView view);

}  // namespace belfry::http
