#include "belfry/core/error.hpp"

#include <set>

#include <gtest/gtest.h>

namespace belfry::core {
namespace {

TEST(ErrorTable, EachCodeFindsItsOwnLine) {
  for (const ErrorClass& line : error_table()) EXPECT_EQ(&error_class(line.code), &line);
}

TEST(ErrorTable, WebSocketCodesAreTheFiveOfTheContract) {
  const std::set<std::string_view> allowed{"UNAUTHORIZED", "FORBIDDEN", "NOT_FOUND", "VALIDATION_ERROR",
                                           "SERVICE_UNAVAILABLE"};
  for (const ErrorClass& line : error_table()) EXPECT_TRUE(allowed.contains(line.websocket)) << line.name;
}

TEST(ReasonTable, EveryReasonHasOneName) {
  std::set<std::string_view> names;
  for (const ReasonText& line : reason_table()) EXPECT_TRUE(names.insert(line.name).second) << line.name;
  EXPECT_EQ(names.size(), static_cast<std::size_t>(Reason::kServiceUnavailable));
  EXPECT_EQ(reason_name(Reason::kSlowMode), "SLOW_MODE");
  EXPECT_EQ(reason_name(Reason::kNone), "");
}

}  // namespace
}  // namespace belfry::core
